import type { PageDefinition } from '@/pages/page'

export default {
  name: 'not-found',
  path: '/:rest(.*)*',
  title: 'notFound.title',
  component: () => import('./NotFoundPage.vue'),
} satisfies PageDefinition
