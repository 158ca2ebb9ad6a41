import { bestOf } from '@/metrics/bestValues'

import type { ComparedTask } from './useComparison'

export type ResultUnit = 'share' | 'percent' | 'number' | 'bytes' | 'count' | 'seconds' | 'milliseconds' | 'points'

export interface Result {
  name: string
  unit: ResultUnit
  values: (number | null)[]
  /** The places of the best; empty where nothing is better, or where it cannot be said. */
  best: number[]
}

interface Row {
  name: string
  unit: ResultUnit
  /** Says something only of the same validation data. */
  ofData: boolean
  of: (one: ComparedTask) => number | null | undefined
}

const metric = (name: string, unit: ResultUnit, ofData = true): Row => ({
  name, unit, ofData, of: ({ report }) => report?.student.measured.metrics[name],
})
const ROWS: Row[] = [
  { name: 'best_accuracy', unit: 'percent', ofData: true, of: ({ task }) => task.best_accuracy },
  metric('accuracy', 'share'),
  metric('map50', 'share'),
  metric('map50_95', 'share'),
  metric('miou', 'share'),
  metric('f1', 'share'),
  metric('ece', 'number'),
  metric('nll', 'number'),
  { name: 'agreement', unit: 'share', ofData: true, of: ({ report }) => report?.agreement },
  { name: 'gain', unit: 'points', ofData: true, of: gain },
  { name: 'teacher', unit: 'share', ofData: true, of: ({ report }) => report?.teacher?.measured?.metrics.accuracy },
  metric('latency_milliseconds', 'milliseconds', false),
  { name: 'size_bytes', unit: 'bytes', ofData: false, of: ({ report }) => report?.student.size_bytes },
  { name: 'parameters', unit: 'count', ofData: false, of: ({ report }) => report?.student.parameters },
  { name: 'seconds', unit: 'seconds', ofData: false, of: ({ task }) => task.duration_seconds },
]

/** How much the student is above the same student without the teacher. */
function gain({ report }: ComparedTask): number | null {
  const [student, baseline] = [report?.student.measured.metrics.accuracy, report?.baseline?.measured.metrics.accuracy]
  return student === undefined || baseline === undefined ? null : student - baseline
}

/** What the tasks were measured on; the same string is the same data. */
function measuredOn({ task, report }: ComparedTask): string {
  const part = task.data.filter((one) => one.part === 'val').at(-1) ?? task.data.at(-1)
  return [task.kind, report?.data.val_dataset ?? task.val_dataset ?? task.dataset, part?.digest].join(' ')
}

export const sameData = (all: ComparedTask[]): boolean => new Set(all.map(measuredOn)).size <= 1

/** The rows in which at least one task has a figure. One that did not come to its end was not quick. */
export function resultsOf(all: ComparedTask[]): Result[] {
  const fair = sameData(all)
  return ROWS.map((row): Result => {
    const values = all.map((one) => row.of(one) ?? null)
    const comparable = row.name === 'seconds' ? values.map((value, n) => (all[n]?.task.status === 'COMPLETED' ? value : null)) : values
    return { name: row.name, unit: row.unit, values, best: row.ofData && !fair ? [] : bestOf(row.name, comparable) }
  }).filter((row) => row.values.some((value) => value !== null))
}
