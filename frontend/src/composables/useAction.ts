import { type Ref, ref, shallowRef } from 'vue'

import { ApiError } from '@/api/errors'

export interface ActionState {
  busy: Ref<boolean>
  /** Why the service refused the last action; null where it was done. */
  refused: Ref<ApiError | null>
  /** True when it was done. What is no word of the service is thrown on. */
  act: (action: () => Promise<unknown>) => Promise<boolean>
}

/**
 * One thing that a person does by the service, such as a button that stops a task: `busy` keeps it from being pressed
 * twice, and a refusal stays beside it instead of in a passing message. A fault of the console is thrown on: it is
 * not the service's word, and would be shown as one.
 */
export function useAction(): ActionState {
  const busy = ref(false)
  const refused = shallowRef<ApiError | null>(null)

  async function act(action: () => Promise<unknown>): Promise<boolean> {
    busy.value = true
    refused.value = null
    try {
      await action()
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
