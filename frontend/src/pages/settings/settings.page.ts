import { Setting } from '@element-plus/icons-vue'

import type { PageDefinition } from '@/pages/page'

export default {
  name: 'settings',
  path: '/settings',
  title: 'settings.title',
  nav: { group: 'service', order: 20, icon: Setting },
  component: () => import('./SettingsPage.vue'),
} satisfies PageDefinition
