import { type Ref, computed, onScopeDispose, watch } from 'vue'

import { api, unwrap } from '@/api/client'
import type { FieldProblem } from '@/api/errors'
import { useRequest } from '@/composables/useRequest'

import type { Draft } from './useTaskDraft'

const TYPED_MS = 400

/**
 * What the service would refuse of the draft, and what it would need. The rules are the service's alone and are not
 * repeated here, so it is asked a moment after each change; the last answer wins.
 */
export function useTaskPreview(draft: Ref<Draft>) {
  const { data: found, error, load } = useRequest((signal) => {
    const { name, description, spec } = draft.value
    const body = { ...(name.trim() ? { name: name.trim() } : {}), description: description || null, spec, priority: 0, start: false }
    return unwrap(api.POST('/api/v1/tasks/preview', { signal, body }))
  })
  let timer: ReturnType<typeof setTimeout> | undefined

  watch(draft, () => {
    clearTimeout(timer)
    timer = setTimeout(() => void load(), TYPED_MS)
  }, { deep: true, immediate: true })
  onScopeDispose(() => clearTimeout(timer))

  const problems = computed<FieldProblem[]>(() => error.value?.problems ?? found.value?.problems ?? [])
  return { found, error, problems }
}
