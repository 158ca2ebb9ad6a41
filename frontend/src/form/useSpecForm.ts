import { type Ref, computed } from 'vue'

import type { FieldProblem } from '@/api/errors'

import { type Knob, parseText } from './knobs'
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

  const defaultOf = (knob: Knob): unknown =>
    knob.path in defaults.value ? defaults.value[knob.path] : knob.defaultValue

  const value = (knob: Knob): unknown => {
    const given = get(spec.value, knob.path)
    return given === undefined ? defaultOf(knob) : given
  }

  const isChanged = (knob: Knob): boolean => {
    const given = get(spec.value, knob.path)
    return given !== undefined && !same(given, defaultOf(knob))
  }

  function set(knob: Knob, next: unknown): void {
    spec.value = put(spec.value, knob.path, same(next, defaultOf(knob)) ? undefined : next)
  }

  /** What was typed; false where it is no value of this knob at all. */
  function setText(knob: Knob, text: string): boolean {
    try {
      set(knob, parseText(knob, text))
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

  return { defaultOf, value, isChanged, set, setText, reset, problemsOf }
}

export type SpecForm = ReturnType<typeof useSpecForm>
