import { onScopeDispose, watch } from 'vue'

const EVERY_MS = 3000

/**
 * Asks again every few seconds as long as `active` says so: for what no stream tells of, such as the
 * machine's load. The next wait begins after the answer, so that a slow service is not asked twice at once. While the
 * page is hidden it rests, and asks at once when it is seen again.
 */
export function usePolling(active: () => boolean, load: () => Promise<void>, everyMs: number = EVERY_MS): void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let stopped = false

  async function pollOnce(): Promise<void> {
    clearTimeout(timer)
    if (document.hidden) return
    await load()
    plan()
  }
  function plan(): void {
    clearTimeout(timer)
    if (!stopped && active()) timer = setTimeout(() => void pollOnce(), everyMs)
  }
  function onVisible(): void {
    if (!document.hidden && active()) void pollOnce()
  }

  watch(active, plan, { immediate: true })
  document.addEventListener('visibilitychange', onVisible)
  onScopeDispose(() => {
    stopped = true
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', onVisible)
  })
}
