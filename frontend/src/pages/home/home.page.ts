import { HomeFilled } from '@element-plus/icons-vue'

import type { PageDefinition } from '@/pages/page'

export default {
  name: 'home',
  path: '/',
  title: 'home.title',
  nav: { group: 'start', order: 10, icon: HomeFilled },
  shortcut: { keys: 'g h', about: 'home.shortcut' },
  component: () => import('./HomePage.vue'),
} satisfies PageDefinition
