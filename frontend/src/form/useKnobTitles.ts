import { computed } from 'vue'

import { useCatalog } from '@/stores/catalog'

import { type Schema, choiceOf, sections } from './knobs'
import { useRequest } from '@/composables/useRequest'

/**
 * What each knob, and each of its choices, is called in the reader's language, for tables that know a spec by its dotted
 * fields alone; '' where the catalog has no title, as of a spec of an older version.
 */
export function useKnobTitles() {
  const catalog = useRequest(useCatalog().get)
  void catalog.load()
  const known = computed(() => {
    const schema = catalog.data.value?.run_schema as Schema | undefined
    const knobs = schema ? sections(schema).flatMap((section) => section.knobs) : []
    return new Map(knobs.map((one) => [one.path, one]))
  })
  return {
    titleOf: (path: string): string => known.value.get(path)?.title ?? '',
    choiceOf: (path: string, value: string): string => choiceOf(known.value.get(path), value),
  }
}
