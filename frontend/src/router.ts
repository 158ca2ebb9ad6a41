import { type RouteRecordRaw, createRouter, createWebHistory } from 'vue-router'

import { i18n } from './i18n'
import { pages } from './pages'
import type { PageDefinition } from './pages/page'

declare module 'vue-router' {
  interface RouteMeta {
    /** Key of the page's title. */
    title?: string
  }
}

/** A page's route, and those that lead to it from its addresses of before. */
export function routesOf({ name, path, title, component, formerPaths = [] }: PageDefinition): RouteRecordRaw[] {
  return [
    { name, path, component, meta: { title } },
    ...formerPaths.map((former) => ({ path: former, redirect: { name } })),
  ]
}

export const router = createRouter({
  history: createWebHistory(),
  routes: pages.flatMap(routesOf),
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
