import type { PageDefinition } from '@/pages/page'

export default {
  name: 'annotation',
  path: '/annotations/:id',
  formerPaths: ['/labelling/:id'],
  title: 'annotations.detailTitle',
  component: () => import('./AnnotationPage.vue'),
} satisfies PageDefinition
