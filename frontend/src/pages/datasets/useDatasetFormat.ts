import { useI18n } from 'vue-i18n'

import type { Dataset } from '@/api/types'
import { useFormat } from '@/composables/useFormat'

/** A data set's kind, layout and faults in words. A layout that a plug-in brought has no text here, and keeps its name. */
export function useDatasetFormat() {
  const { t, te } = useI18n()
  const { number } = useFormat()

  const kind = (one: Pick<Dataset, 'kind'>): string => worded('kinds', one.kind)
  const layout = (type: string | null | undefined): string => worded('datasets.layouts', type)

  function worded(group: string, name: string | null | undefined): string {
    if (!name) return '–'
    return te(`${group}.${name}`) ? t(`${group}.${name}`) : name
  }

  /** Of one that was checked; nothing of one that was not. */
  function faults(one: Dataset): string {
    const parts = []
    if (one.errors) parts.push(t('datasets.errors', { n: number(one.errors) }, one.errors))
    if (one.warnings) parts.push(t('datasets.warnings', { n: number(one.warnings) }, one.warnings))
    if (parts.length) return parts.join(', ')
    return one.checked_at ? t('common.none') : '–'
  }

  return { kind, layout, faults }
}
