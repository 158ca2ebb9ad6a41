import { onScopeDispose, watch } from 'vue'

const EVERY_MS = 3000

/**
 * Asks again every few seconds as long as `wanted` says so. While the page is hidden it rests, and asks
 * at once when it is seen again.
 */
export function usePolling(wanted: () => boolean, load: () => Promise<void>, everyMs: number = EVERY_MS): void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let gone = false

  async function turn(): Promise<void> {
    clearTimeout(timer)
    if (document.hidden) return
    await load()
    plan()
  }
  function plan(): void {
    clearTimeout(timer)
    if (!gone && wanted()) timer = setTimeout(() => void turn(), everyMs)
  }
  function onVisible(): void {
    if (!document.hidden && wanted()) void turn()
  }

  watch(wanted, plan, { immediate: true })
  document.addEventListener('visibilitychange', onVisible)
  onScopeDispose(() => {
    gone = true
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', onVisible)
  })
}
