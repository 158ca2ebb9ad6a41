import { Box } from '@element-plus/icons-vue'

import type { PageDefinition } from '@/pages/page'

export default {
  name: 'models',
  path: '/models',
  title: 'models.title',
  nav: { group: 'data', order: 20, icon: Box },
  shortcut: { keys: 'g m', about: 'models.shortcut' },
  component: () => import('./ModelsPage.vue'),
} satisfies PageDefinition
