import { type Ref, onScopeDispose, ref, shallowRef, watch } from 'vue'

import { reader } from '@/api/client'
import { ApiError } from '@/api/errors'

export interface Asked<T> {
  data: Ref<T | null>
  error: Ref<ApiError | null>
  loading: Ref<boolean>
  /** Asks (again). What was there stays while it waits, and when it fails. */
  load: () => Promise<void>
}

/** One question to the service and its three states; the last one asked wins. */
export function useRequest<T>(question: (signal: AbortSignal) => Promise<T>): Asked<T> {
  const data = shallowRef<T | null>(null)
  const error = shallowRef<ApiError | null>(null)
  const loading = ref(false)
  let running: AbortController | null = null

  async function load(): Promise<void> {
    running?.abort()
    const mine = new AbortController()
    running = mine
    loading.value = true
    try {
      const answer = await question(mine.signal)
      if (running !== mine) return
      data.value = answer
      error.value = null
    } catch (problem) {
      if (running !== mine || mine.signal.aborted) return
      if (!(problem instanceof ApiError)) throw problem
      error.value = problem
    } finally {
      if (running === mine) loading.value = false
    }
  }

  // The service's sentences come in the reader's language.
  watch(() => reader.language, () => {
    if (running !== null) void load()
  })
  onScopeDispose(() => running?.abort())
  return { data, error, loading, load }
}
