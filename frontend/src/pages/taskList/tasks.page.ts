import { List } from '@element-plus/icons-vue'

import type { PageDefinition } from '@/pages/page'

export default {
  name: 'tasks',
  path: '/tasks',
  title: 'taskList.title',
  nav: { group: 'train', order: 10, icon: List },
  shortcut: { keys: 'g t', about: 'taskList.shortcut' },
  component: () => import('./TasksPage.vue'),
} satisfies PageDefinition
