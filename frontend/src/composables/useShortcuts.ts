import { onScopeDispose, reactive } from 'vue'

export interface Shortcut {
  /** One letter, or `g t` for two pressed one after the other. */
  keys: string
  /** Key of its sentence in the messages. */
  about: string
  run: () => void
}

/** All that are bound now; `?` shows them. */
export const activeShortcuts = reactive<Shortcut[]>([])
const SECOND_KEY_WITHIN_MS = 1200
let first = ''
let firstAt = 0

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
  )
}

function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
  const before = event.timeStamp - firstAt < SECOND_KEY_WITHIN_MS ? `${first} ` : ''
  const found =
    activeShortcuts.find((one) => before !== '' && one.keys === before + event.key) ??
    activeShortcuts.find((one) => one.keys === event.key)
  first = found ? '' : event.key
  firstAt = event.timeStamp
  if (!found) return
  event.preventDefault()
  found.run()
}

/**
 * Binds keys while the component that calls it lives. One listener serves all of them, as two keys pressed one after the
 * other (`g t`) may belong to different components than one key alone.
 */
export function useShortcuts(...keys: Shortcut[]): void {
  if (activeShortcuts.length === 0) document.addEventListener('keydown', onKey)
  activeShortcuts.push(...keys)
  onScopeDispose(() => {
    for (const key of keys) activeShortcuts.splice(activeShortcuts.findIndex((one) => one.keys === key.keys), 1)
    if (activeShortcuts.length === 0) document.removeEventListener('keydown', onKey)
  })
}
