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
export function usePresetForm(before: Preset | null) {
  const form = reactive({
    name: before?.name ?? '',
    description: before?.description ?? '',
    rank: String(before?.rank ?? 16),
    alpha: String(before?.alpha ?? 32),
    dropout: String(before?.dropout ?? 0.05),
    target_modules: before?.target_modules.join(', ') ?? '',
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
  const whole = computed(() =>
    Object.keys(problems.value).some((field) => FIELDS.includes(field)) ? null : refused.value,
  )

  /** Empty or no number at all: sent as it was typed, the service says so at the field. */
  const figure = (typed: string): number => {
    const read = Number(typed)
    return (typed.trim() === '' || Number.isNaN(read) ? typed : read) as number
  }

  function save(): Promise<boolean> {
    const body = {
      description: form.description.trim() || null,
      rank: figure(form.rank),
      alpha: figure(form.alpha),
      dropout: figure(form.dropout),
      target_modules: names(form.target_modules),
    }
    return act(async () => {
      if (before) await api.PUT('/api/v1/lora-presets/{name}', { params: { path: { name: before.name } }, body })
      else await api.POST('/api/v1/lora-presets', { body: { name: form.name.trim(), ...body } })
    })
  }

  return { form, busy, problems, whole, save }
}
