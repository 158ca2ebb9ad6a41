import type { Component } from 'vue'

/** The groups of the menu, in their order; `start` has no heading. */
export const NAV_GROUPS = ['start', 'train', 'data', 'service'] as const

/**
 * One page of the console. It is found because it is the default export of a file
 * `pages/<folder>/<name>.page.ts`; its texts are `en.json` and `zh.json` of the same folder, and
 * are read under the folder's name.
 */
export interface PageDefinition {
  /** The route's name, for links: `{ name: 'system' }`. */
  name: string
  path: string
  /** Paths that lead here as well, with the same parameters: addresses of before, kept as bookmarks. */
  formerPaths?: string[]
  /** Message key of the title. */
  title: string
  /** Its place in the menu; a page without one is reached by links alone. */
  nav?: { group: (typeof NAV_GROUPS)[number]; order: number; icon: Component }
  /** One letter, or two pressed one after the other, and the message key of what they do. */
  shortcut?: { keys: string; about: string }
  /** Loaded when the page is opened. */
  component: () => Promise<unknown>
}
