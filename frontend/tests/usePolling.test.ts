import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type EffectScope, effectScope, nextTick, ref } from 'vue'

import { usePolling } from '../src/composables/usePolling'

const EVERY_MS = 1000
const wanted = ref(true)
let asked = 0
let hidden = false
let page: EffectScope

function see(now: boolean): void {
  hidden = !now
  document.dispatchEvent(new Event('visibilitychange'))
}

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden)
  wanted.value = true
  asked = 0
  hidden = false
  page = effectScope()
  page.run(() => usePolling(() => wanted.value, async () => void (asked += 1), EVERY_MS))
})
afterEach(() => {
  page.stop()
  vi.restoreAllMocks()
  vi.useRealTimers()
})

describe('what is asked again and again', () => {
  it('is asked as long as it is wanted', async () => {
    await vi.advanceTimersByTimeAsync(3 * EVERY_MS)
    expect(asked).toBe(3)
    wanted.value = false
    await nextTick()
    await vi.advanceTimersByTimeAsync(3 * EVERY_MS)
    expect(asked).toBe(3)
    wanted.value = true
    await vi.advanceTimersByTimeAsync(EVERY_MS)
    expect(asked).toBe(4)
  })

  it('rests while the page is hidden, and is asked at once when it is seen again', async () => {
    see(false)
    await vi.advanceTimersByTimeAsync(5 * EVERY_MS)
    expect(asked).toBe(0)
    see(true)
    await vi.advanceTimersByTimeAsync(0)
    expect(asked).toBe(1)
    await vi.advanceTimersByTimeAsync(EVERY_MS)
    expect(asked).toBe(2)
  })

  it('is asked no more when the page is left, also while an answer is awaited', async () => {
    page.stop()
    page = effectScope()
    let answer = (): void => undefined
    page.run(() => usePolling(() => true, () => new Promise((resolve) => {
      asked += 1
      answer = resolve
    }), EVERY_MS))
    await vi.advanceTimersByTimeAsync(EVERY_MS)
    page.stop()
    answer()
    await vi.advanceTimersByTimeAsync(5 * EVERY_MS)
    see(true)
    expect(asked).toBe(1)
  })
})
