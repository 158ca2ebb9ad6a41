import { type Ref, ref, shallowRef } from 'vue'

import { ApiError } from '@/api/errors'

export interface Act {
  busy: Ref<boolean>
  /** What the service said against the last deed; null where it was done. */
  refused: Ref<ApiError | null>
  /** True when it was done. What is no word of the service is thrown on. */
  act: (deed: () => Promise<unknown>) => Promise<boolean>
}

/** Something a person has done by the service: whether it is under way, and why it was refused. */
export function useAction(): Act {
  const busy = ref(false)
  const refused = shallowRef<ApiError | null>(null)

  async function act(deed: () => Promise<unknown>): Promise<boolean> {
    busy.value = true
    refused.value = null
    try {
      await deed()
      return true
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem
      refused.value = problem
      return false
    } finally {
      busy.value = false
    }
  }

  return { busy, refused, act }
}
