import { useI18n } from 'vue-i18n'

import type { Series } from './curveSeries'
import type { Group } from './seriesGroups'

/** Titles of charts and names of their lines. A loss from a plug-in has no text here, and keeps its own name. */
export function useSeriesNames() {
  const { t, te } = useI18n()

  function title(group: Group): string {
    if (group.term !== null) return t('curves.term', { name: group.term })
    return te(`curves.charts.${group.name}`) ? t(`curves.charts.${group.name}`) : group.name
  }

  function line(series: Series, group: Group): string {
    if (te(`curves.names.${series.name}`)) return t(`curves.names.${series.name}`)
    const name = group.term ?? title(group)
    const both = group.series.some((one) => one !== series && one.name === series.name)
    return both ? t(series.per === 'step' ? 'curves.ofStep' : 'curves.ofEpoch', { name }) : name
  }

  return { title, line }
}
