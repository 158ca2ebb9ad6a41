import { type RouteRecordRaw, createRouter, createWebHistory } from 'vue-router'

import { i18n } from './i18n'

declare module 'vue-router' {
  interface RouteMeta {
    /** Key of the page's title. */
    title?: string
  }
}

/** Each page is loaded when it is opened. */
const routes: RouteRecordRaw[] = [
  { path: '/', name: 'home', meta: { title: 'nav.home' }, component: () => import('@/pages/home/HomePage.vue') },
  { path: '/tasks', name: 'tasks', meta: { title: 'nav.tasks' }, component: () => import('@/pages/taskList/TasksPage.vue') },
  { path: '/tasks/new', name: 'new-task', meta: { title: 'nav.newTask' }, component: () => import('@/pages/newTask/NewTaskPage.vue') },
  { path: '/tasks/:id/:tab?', name: 'task', meta: { title: 'nav.task' }, component: () => import('@/pages/taskDetail/TaskPage.vue') },
  { path: '/compare', name: 'compare', meta: { title: 'nav.compare' }, component: () => import('@/pages/compare/ComparePage.vue') },
  { path: '/datasets', name: 'datasets', meta: { title: 'nav.datasets' }, component: () => import('@/pages/datasets/DatasetsPage.vue') },
  // An id may be a folder below a folder.
  { path: '/datasets/:id(.+)', name: 'dataset', meta: { title: 'nav.dataset' }, component: () => import('@/pages/datasets/DatasetPage.vue') },
  { path: '/models', name: 'models', meta: { title: 'nav.models' }, component: () => import('@/pages/models/ModelsPage.vue') },
  { path: '/models/:id', name: 'model', meta: { title: 'nav.model' }, component: () => import('@/pages/models/ModelPage.vue') },
  { path: '/labelling', name: 'jobs', meta: { title: 'nav.jobs' }, component: () => import('@/pages/annotations/AnnotationsPage.vue') },
  { path: '/labelling/:id', name: 'job', meta: { title: 'nav.job' }, component: () => import('@/pages/annotations/AnnotationPage.vue') },
  { path: '/presets', name: 'presets', meta: { title: 'nav.presets' }, component: () => import('@/pages/presets/PresetsPage.vue') },
  { path: '/system', name: 'system', meta: { title: 'nav.system' }, component: () => import('@/pages/system/SystemPage.vue') },
  { path: '/settings', name: 'settings', meta: { title: 'nav.settings' }, component: () => import('@/pages/settings/SettingsPage.vue') },
  { path: '/:rest(.*)*', name: 'nowhere', meta: { title: 'nav.nowhere' }, component: () => import('@/pages/notFound/NotFoundPage.vue') },
]

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? undefined : { top: 0 }),
})

router.afterEach((to) => {
  const { t } = i18n.global
  document.title = to.meta.title ? `${t(to.meta.title)} · Tandem` : 'Tandem'
})

// A console built anew has other file names: the page that is open asks for ones that are gone.
router.onError((error, to) => {
  if (/dynamically imported module|module script failed/i.test(String(error))) {
    globalThis.location.assign(to.fullPath)
  }
})
