import { DataLine } from '@element-plus/icons-vue'

import type { PageDefinition } from '@/pages/page'

export default {
  name: 'compare',
  path: '/compare',
  title: 'compare.title',
  nav: { group: 'train', order: 20, icon: DataLine },
  shortcut: { keys: 'g c', about: 'compare.shortcut' },
  component: () => import('./ComparePage.vue'),
} satisfies PageDefinition
