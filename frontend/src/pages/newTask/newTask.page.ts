import type { PageDefinition } from '@/pages/page'

export default {
  name: 'new-task',
  path: '/tasks/new',
  title: 'newTask.title',
  shortcut: { keys: 'n', about: 'newTask.shortcut' },
  component: () => import('./NewTaskPage.vue'),
} satisfies PageDefinition
