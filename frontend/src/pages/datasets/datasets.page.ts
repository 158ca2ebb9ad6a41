import { Files } from '@element-plus/icons-vue'

import type { PageDefinition } from '@/pages/page'

export default {
  name: 'datasets',
  path: '/datasets',
  title: 'datasets.title',
  nav: { group: 'data', order: 10, icon: Files },
  shortcut: { keys: 'g d', about: 'datasets.shortcut' },
  component: () => import('./DatasetsPage.vue'),
} satisfies PageDefinition
