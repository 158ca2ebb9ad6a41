import { describe, expect, it } from 'vitest'

import { CurveSeries, refined } from '../src/charts/curveSeries'
import { groupsOf } from '../src/charts/seriesGroups'
import { aligned, extent, facts, moved, smoothed, valueAt, zoomed } from '../src/charts/lines'
import { digitsOf } from '../src/charts/tickDigits'

type Answer = ConstructorParameters<typeof CurveSeries>[0]
const series = (name: string, kind: 'step' | 'epoch', x: number[], y: (number | null)[], total = x.length) => ({ name, kind, x, y, total })

function rows(x: Answer['x'] = 'epoch'): CurveSeries {
  const found = [series('loss', 'step', [0.5, 1], [3, 2]), series('val_accuracy', 'epoch', [1], [0.5])]
  return new CurveSeries({ task_id: 'T', x, last_event_id: '5-0', series: found }, 4)
}
function metric(seq: number, step: number, values: object, at = '2026-03-01T12:00:00.123456Z') {
  return { id: `${seq}-0`, type: 'metric', data: { seq, at, epoch: 1, step, total_steps: 8, values } }
}
function epoch(seq: number, n: number, more: object) {
  return { id: `${seq}-0`, type: 'epoch', data: { seq, at: '2026-03-01T12:00:00Z', epoch: n, total_epochs: 4, ...more } }
}
const of = (all: CurveSeries, name: string, kind = 'step') => all.series.find((one) => one.name === name && one.per === kind)

describe('curves that grow', () => {
  it('take what is new, each event once', () => {
    const all = rows()
    expect(all.take(metric(5, 2, { loss: 9 }))).toBe('nothing')
    expect(all.take(metric(6, 3, { loss: 1.5, 'loss/kl_div': 0.5 }))).toBe('longer')
    expect(all.take(metric(6, 3, { loss: 9 }))).toBe('nothing')
    expect(of(all, 'loss')).toMatchObject({ x: [0.5, 1, 1.5], y: [3, 2, 1.5] })
    expect(of(all, 'loss/kl_div')).toMatchObject({ x: [1.5], y: [0.5] })
  })

  it('hold a point once that the history knew already', () => {
    const all = rows()
    all.take(metric(6, 2, { loss: 2 }))
    all.take(epoch(7, 1, { val_accuracy: 0.5, terms: { kl_div: 0.1 }, memory_megabytes: 12 }))
    expect(of(all, 'loss')?.x).toEqual([0.5, 1])
    expect(of(all, 'val_accuracy', 'epoch')?.x).toEqual([1])
    expect(of(all, 'loss/kl_div', 'epoch')?.y).toEqual([0.1])
    expect(of(all, 'memory_megabytes', 'epoch')?.y).toEqual([12])
  })

  it('know the same moment by a finer and a coarser clock', () => {
    const answer = { task_id: 'T', x: 'time' as const, last_event_id: '5-0', series: [series('loss', 'step', [1772366400.123456], [3])] }
    const all = new CurveSeries(answer, 4)
    all.take(metric(6, 2, { loss: 3 }))
    all.take(metric(7, 3, { loss: 2 }, '2026-03-01T12:00:01Z'))
    expect(of(all, 'loss')?.y).toEqual([3, 2])
  })

  it('show what is no number as a gap', () => {
    const all = rows()
    all.take(metric(6, 3, { loss: 'NaN' }))
    expect(of(all, 'loss')?.y).toEqual([3, 2, null])
  })

  it('are asked for again when the run goes on from elsewhere', () => {
    expect(rows().take({ id: '2-1', type: 'rewound', data: { seq: 2 } })).toBe('anew')
    expect(rows().take({ id: '6-0', type: 'started', data: { seq: 6, resumed_from_epoch: 1 } })).toBe('anew')
    expect(rows().take({ id: '4-0', type: 'started', data: { seq: 4 } })).toBe('nothing')
  })

  it('take finer points in place of those of a stretch', () => {
    const coarse = { name: 'loss', per: 'step' as const, x: [0, 10, 20, 30], y: [1, 2, 3, 4], sampled: true }
    const fine = { ...coarse, x: [9, 10, 11, 20], y: [5, 6, 7, 8] }
    expect(refined(coarse, fine)).toMatchObject({ x: [0, 9, 10, 11, 20, 30], y: [1, 5, 6, 7, 8, 4] })
    expect(refined(coarse, undefined)).toBe(coarse)
  })
})

describe('charts', () => {
  it('give each loss term its own, and leave out what says nothing more', () => {
    const given = [
      series('loss', 'step', [1], [1]), series('loss/kl_div', 'step', [1], [1]), series('loss/kl_div', 'epoch', [1], [1]),
      series('learning_rate', 'step', [1], [1]), series('learning_rate', 'epoch', [1], [1]), series('odd', 'step', [1], [1]),
      series('val_accuracy', 'epoch', [], []),
    ].map(({ kind, ...one }) => ({ ...one, per: kind, sampled: false }))
    expect(groupsOf(given).map((group) => [group.name, group.series.length])).toEqual([
      ['loss', 1], ['loss/kl_div', 2], ['learning_rate', 1], ['odd', 1],
    ])
  })

  it('smooth without a pull to zero, and keep gaps', () => {
    expect(smoothed([2, 2, null, 2], 0.9)).toEqual([2, 2, null, 2].map((one) => (one === null ? null : expect.closeTo(one))))
    expect(smoothed([0, 1], 0.5)[1]).toBeCloseTo(2 / 3)
  })

  it('stand lines of different places over one axis', () => {
    expect(aligned([{ x: [1, 3], y: [5, null] }, { x: [2, 3], y: [6, 7] }])).toEqual([[1, 2, 3], [5, undefined, null], [undefined, 6, 7]])
    expect(valueAt([1, undefined, null], 2)).toBe(1)
    expect(extent([{ x: [2, 9] }, { x: [] }, { x: [1] }])).toEqual([1, 9])
    expect(facts([3, null, 1])).toEqual({ last: 1, least: 1, most: 3 })
  })

  it('zoom and move within what there is', () => {
    expect(zoomed([0, 100], [0, 100], 0.5, 50)).toEqual([25, 75])
    expect(zoomed([25, 75], [0, 100], 4, 50)).toBeNull()
    expect(moved([80, 90], [0, 100], 5)).toEqual([90, 100])
    expect(moved([10, 20], [0, 100], -5)).toEqual([0, 10])
  })
})

describe('the ticks of an axis', () => {
  const written = (at: (number | null)[]) => at.map((one) => one === null ? '' : Number(one.toPrecision(digitsOf(at).significant)).toString())
  it('are told apart, however near they are', () => {
    expect(written([1.096, 1.098, 1.1, 1.102])).toEqual(['1.096', '1.098', '1.1', '1.102'])
    expect(written([0.14, 0.15, 0.16])).toEqual(['0.14', '0.15', '0.16'])
    expect(written([98_765, 98_766])).toEqual(['98765', '98766'])
  })
  it('take no more room than that', () => {
    expect(digitsOf([1, 1.2, 1.4])).toEqual({ fraction: 1, significant: 3 })
    expect(digitsOf([0.3, 0.32, 0.34], 100)).toEqual({ fraction: 0, significant: 3 })
    expect(digitsOf([0.991, 0.992], 100).fraction).toBe(1)
    expect(digitsOf([null, 4, null])).toEqual({ fraction: 0, significant: 3 })
  })
})
