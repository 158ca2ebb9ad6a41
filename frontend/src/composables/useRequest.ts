import { type Ref, onScopeDispose, ref, shallowRef, watch } from 'vue'

import { apiLocale } from '@/api/client'
import { ApiError } from '@/api/errors'

export interface RequestState<T> {
  data: Ref<T | null>
  error: Ref<ApiError | null>
  loading: Ref<boolean>
  /** Asks (again). What was there stays while it waits, and when it fails. */
  load: () => Promise<void>
}

/**
 * One request to the service and its three states. Asked again, it aborts the answer that is under way: whoever types or
 * turns pages quickly would otherwise see an earlier answer overwrite a later one.
 */
export function useRequest<T>(request: (signal: AbortSignal) => Promise<T>): RequestState<T> {
  const data = shallowRef<T | null>(null)
  const error = shallowRef<ApiError | null>(null)
  const loading = ref(false)
  let controller: AbortController | null = null

  async function load(): Promise<void> {
    controller?.abort()
    const own = new AbortController()
    controller = own
    loading.value = true
    try {
      const answer = await request(own.signal)
      if (controller !== own) return
      data.value = answer
      error.value = null
    } catch (problem) {
      if (controller !== own || own.signal.aborted) return
      if (!(problem instanceof ApiError)) throw problem
      error.value = problem
    } finally {
      if (controller === own) loading.value = false
    }
  }

  // The service's sentences come in the reader's language.
  watch(() => apiLocale.language, () => {
    if (controller !== null) void load()
  })
  onScopeDispose(() => controller?.abort())
  return { data, error, loading, load }
}
