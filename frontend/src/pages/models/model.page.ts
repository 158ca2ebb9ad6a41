import type { PageDefinition } from '@/pages/page'

export default {
  name: 'model',
  path: '/models/:id',
  title: 'models.detailTitle',
  component: () => import('./ModelPage.vue'),
} satisfies PageDefinition
