import { groupsOf } from '@/charts/seriesGroups'
import type { Group } from '@/charts/seriesGroups'
import type { Line } from '@/charts/lines'

import type { ComparedTask } from './useComparison'

/** One series of all tasks, over each other. */
export interface Overlay {
  group: Group
  name: string
  lines: Line[]
}

/** A chart for each series that any task has; one told both at steps and epochs is shown by epochs. */
export function overlaid(all: ComparedTask[]): Overlay[] {
  const groups = groupsOf(all.flatMap((one) => one.series))
  return groups.flatMap((group) => {
    const names = [...new Set(group.series.map((one) => one.name))]
    return names.map((name) => ({ group, name, lines: linesOf(all, name) }))
  })
}

function linesOf(all: ComparedTask[], name: string): Line[] {
  const per = all.some((one) => one.series.some((each) => each.name === name && each.per === 'epoch')) ? 'epoch' : 'step'
  return all.flatMap(({ task, series }, tone) => {
    const found = series.find((each) => each.name === name && each.per === per)
    return found?.x.length ? [{ name: task.task_id, label: task.name, x: found.x, y: found.y, tone }] : []
  })
}
