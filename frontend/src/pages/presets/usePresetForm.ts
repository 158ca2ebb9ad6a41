import { computed, reactive } from 'vue'

import { api } from '@/api/client'
import type { Preset } from '@/api/types'
import { useAction } from '@/composables/useAction'

const FIELDS = ['name', 'description', 'rank', 'alpha', 'dropout', 'target_modules']

/** Names that stand one beside the other, by blanks or commas of either language. */
export function names(typed: string): string[] {
  return [...new Set(typed.split(/[\s,，、;]+/).filter(Boolean))]
}

/** A preset as it is typed; the service says what is wrong, and each fault goes to its field. */
export function usePresetForm(existing: Preset | null) {
  const form = reactive({
    name: existing?.name ?? '',
    description: existing?.description ?? '',
    rank: String(existing?.rank ?? 16),
    alpha: String(existing?.alpha ?? 32),
    dropout: String(existing?.dropout ?? 0.05),
    target_modules: existing?.target_modules.join(', ') ?? '',
  })
  const { busy, refused, act } = useAction()

  const problems = computed(() => {
    const found: Record<string, string> = {}
    for (const one of refused.value?.problems ?? []) {
      const field = one.field.split('.')[0] ?? ''
      found[field] ??= [one.problem, one.fix].filter(Boolean).join(' ')
    }
    return found
  })
  /** A failure that no field can show. */
  const formError = computed(() =>
    Object.keys(problems.value).some((field) => FIELDS.includes(field)) ? null : refused.value,
  )

  /** Empty or no number at all: sent as it was typed, the service says so at the field. */
  const numberOrText = (typed: string): number => {
    const read = Number(typed)
    return (typed.trim() === '' || Number.isNaN(read) ? typed : read) as number
  }

  function save(): Promise<boolean> {
    const body = {
      description: form.description.trim() || null,
      rank: numberOrText(form.rank),
      alpha: numberOrText(form.alpha),
      dropout: numberOrText(form.dropout),
      target_modules: names(form.target_modules),
    }
    return act(async () => {
      if (existing) await api.PUT('/api/v1/lora-presets/{name}', { params: { path: { name: existing.name } }, body })
      else await api.POST('/api/v1/lora-presets', { body: { name: form.name.trim(), ...body } })
    })
  }

  return { form, busy, problems, formError, save }
}
