import { computed } from 'vue'

import { useCatalogue } from '@/stores/catalogue'

import { type Schema, sections } from './schema'
import { useAsk } from './useAsk'

/** What each knob is called in the reader's language, by its path; '' until that is known. */
export function useKnobTitles() {
  const catalogue = useAsk(useCatalogue().get)
  void catalogue.load()
  const titles = computed(() => {
    const schema = catalogue.data.value?.run_schema as Schema | undefined
    const knobs = schema ? sections(schema).flatMap((section) => section.knobs) : []
    return new Map(knobs.map(({ path, title }) => [path, title]))
  })
  return (path: string): string => titles.value.get(path) ?? ''
}
