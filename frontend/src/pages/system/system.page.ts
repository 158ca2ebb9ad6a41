import { Monitor } from '@element-plus/icons-vue'

import type { PageDefinition } from '@/pages/page'

export default {
  name: 'system',
  path: '/system',
  title: 'system.title',
  nav: { group: 'service', order: 10, icon: Monitor },
  shortcut: { keys: 'g s', about: 'system.shortcut' },
  component: () => import('./SystemPage.vue'),
} satisfies PageDefinition
