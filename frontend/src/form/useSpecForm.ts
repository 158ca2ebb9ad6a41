import { type Ref, computed } from 'vue'

import type { FieldProblem } from '@/api/errors'

import { type Knob, parsed } from './schema'
import { type Tree, get, put, same } from './specTree'

/**
 * A form over a spec that holds only what was said. A field that says what this student begins with
 * anyway is not said; one that differs is marked, and can be taken back.
 */
export function useSpecForm(
  spec: Ref<Tree>,
  defaults: Ref<Record<string, unknown>>,
  problems: Ref<readonly FieldProblem[]>,
) {
  const byField = computed(() => {
    const found = new Map<string, FieldProblem[]>()
    for (const one of problems.value) {
      const field = one.field.replace(/^spec\./, '')
      found.set(field, [...(found.get(field) ?? []), one])
    }
    return found
  })

  const fallback = (knob: Knob): unknown =>
    knob.path in defaults.value ? defaults.value[knob.path] : knob.fallback

  const value = (knob: Knob): unknown => {
    const said = get(spec.value, knob.path)
    return said === undefined ? fallback(knob) : said
  }

  const isChanged = (knob: Knob): boolean => {
    const said = get(spec.value, knob.path)
    return said !== undefined && !same(said, fallback(knob))
  }

  function set(knob: Knob, next: unknown): void {
    spec.value = put(spec.value, knob.path, same(next, fallback(knob)) ? undefined : next)
  }

  /** What was typed; false where it is no value of this knob at all. */
  function type(knob: Knob, text: string): boolean {
    try {
      set(knob, parsed(knob, text))
      return true
    } catch (error) {
      if (error instanceof SyntaxError) return false
      throw error
    }
  }

  function reset(knob: Knob): void {
    spec.value = put(spec.value, knob.path, undefined)
  }

  const problemsOf = (path: string): FieldProblem[] => byField.value.get(path) ?? []

  return { fallback, value, isChanged, set, type, reset, problemsOf }
}

export type Form = ReturnType<typeof useSpecForm>
