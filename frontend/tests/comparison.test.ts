import { describe, expect, it } from 'vitest'

import { overlaid } from '../src/pages/compare/seriesOverlay'
import { resultsOf, sameData } from '../src/pages/compare/resultRows'
import type { ComparedTask } from '../src/pages/compare/useComparison'

const series = (name: string, per: 'step' | 'epoch') => ({ name, per, x: [1], y: [2], sampled: false })

function task(id: string, more: object = {}, report: object | null = null): ComparedTask {
  const shown = { task_id: id, name: `the ${id}`, kind: 'classification', status: 'COMPLETED', dataset: 'pets', val_dataset: null, data: [], best_accuracy: null, duration_seconds: null, ...more }
  return { task: shown, report, series: [series('loss', 'step'), series('learning_rate', 'step'), series('learning_rate', 'epoch')] } as unknown as ComparedTask
}
const best = (all: ComparedTask[], name: string) => resultsOf(all).find((row) => row.name === name)?.best
const measured = (metrics: object, more: object = {}) => ({ data: { val_dataset: 'pets' }, student: { measured: { metrics }, size_bytes: 9 }, ...more })

describe('the better result', () => {
  it('is the higher accuracy and the lower error, and nobody when all are the same', () => {
    const all = [task('A', { best_accuracy: 90 }, measured({ ece: 0.1, f1: 0.5 })), task('B', { best_accuracy: 95 }, measured({ ece: 0.3, f1: 0.5 }))]
    expect(best(all, 'best_accuracy')).toEqual([1])
    expect(best(all, 'ece')).toEqual([0])
    expect(best(all, 'f1')).toEqual([])
    expect(best(all, 'size_bytes')).toEqual([])
  })

  it('is not named where only one has a figure, and a row without any is left out', () => {
    const all = [task('A', { best_accuracy: 90 }), task('B')]
    expect(best(all, 'best_accuracy')).toEqual([])
    expect(resultsOf(all).map((row) => row.name)).toEqual(['best_accuracy'])
  })

  it('is not named for figures of other data, but for the time they took', () => {
    const all = [task('A', { best_accuracy: 90, duration_seconds: 5 }), task('B', { best_accuracy: 95, dataset: 'cars', duration_seconds: 4 })]
    expect(sameData(all)).toBe(false)
    expect(best(all, 'best_accuracy')).toEqual([])
    expect(best(all, 'seconds')).toEqual([1])
  })

  it('is not the run that broke off soonest', () => {
    const done = [task('A', { duration_seconds: 5 }), task('B', { duration_seconds: 6 })]
    expect(best([...done, task('C', { duration_seconds: 1, status: 'FAILED' })], 'seconds')).toEqual([0])
    expect(best([task('A', { duration_seconds: 5 }), task('C', { duration_seconds: 1, status: 'RUNNING' })], 'seconds')).toEqual([])
  })

  it('says what the teacher brought', () => {
    const report = measured({ accuracy: 0.9 }, { baseline: { measured: { metrics: { accuracy: 0.8 } } } })
    expect(resultsOf([task('A', {}, report)]).find((row) => row.name === 'gain')?.values[0]).toBeCloseTo(0.1)
  })
})

describe('curves over each other', () => {
  it('keep a task in its own tone, and one sort of a series', () => {
    const all = [task('A'), { ...task('B'), series: [] }, task('C')]
    const charts = overlaid(all)
    expect(charts.map((one) => one.name)).toEqual(['loss', 'learning_rate'])
    expect(charts[0]?.lines.map((line) => [line.label, line.tone])).toEqual([['the A', 0], ['the C', 2]])
  })
})
