import type { PageDefinition } from '@/pages/page'

export default {
  name: 'task',
  path: '/tasks/:id/:tab?',
  title: 'taskDetail.title',
  component: () => import('./TaskPage.vue'),
} satisfies PageDefinition
