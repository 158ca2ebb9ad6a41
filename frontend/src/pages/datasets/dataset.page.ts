import type { PageDefinition } from '@/pages/page'

export default {
  name: 'dataset',
  // An id may be a folder below a folder.
  path: '/datasets/:id(.+)',
  title: 'datasets.detailTitle',
  component: () => import('./DatasetPage.vue'),
} satisfies PageDefinition
