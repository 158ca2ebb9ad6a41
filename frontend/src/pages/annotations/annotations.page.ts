import { MagicStick } from '@element-plus/icons-vue'

import type { PageDefinition } from '@/pages/page'

export default {
  name: 'annotations',
  path: '/annotations',
  formerPaths: ['/labelling'],
  title: 'annotations.title',
  nav: { group: 'data', order: 30, icon: MagicStick },
  shortcut: { keys: 'g j', about: 'annotations.shortcut' },
  component: () => import('./AnnotationsPage.vue'),
} satisfies PageDefinition
