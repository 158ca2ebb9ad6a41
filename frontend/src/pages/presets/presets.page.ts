import { Collection } from '@element-plus/icons-vue'

import type { PageDefinition } from '@/pages/page'

export default {
  name: 'presets',
  path: '/presets',
  title: 'presets.title',
  nav: { group: 'train', order: 30, icon: Collection },
  component: () => import('./PresetsPage.vue'),
} satisfies PageDefinition
