import type { Curves } from '@/api/types'
import type { StreamEvent } from '@/composables/useStream'

/** One series as the service gives it and the stream lengthens it; `total` counts what there is. */
export interface Series {
  name: string
  /** Whether there is a value for each step or for each epoch; the wire calls it `kind`. */
  per: 'step' | 'epoch'
  x: number[]
  y: (number | null)[]
  /** Whether there are points between those here. */
  sampled: boolean
}
export type Taken = 'nothing' | 'longer' | 'anew'

const EPOCH_FIGURES = [
  'train_loss', 'val_loss', 'train_accuracy', 'val_accuracy', 'learning_rate', 'seconds',
  'images_per_second', 'gpu_usage_percent', 'memory_megabytes',
]
/** Times of the service are finer than a browser's; what is nearer than this is the same moment. */
const SAME_SECONDS = 0.002

const numbers = (list: (number | null)[]): number[] => list.map((one) => one ?? Number.NaN)

export function seriesOf(answer: Curves): Series[] {
  return answer.series.map((one) => ({
    name: one.name, per: one.kind, x: numbers(one.x), y: one.y, sampled: one.total > one.x.length,
  }))
}

/**
 * A run's curves: what the service has so far, then what the stream says, each event once. The
 * history may already hold what an event says, so a point at a place that is taken replaces it.
 */
export class CurveSeries {
  readonly series: Series[]
  private seq: number
  private readonly places = new Map<string, Series>()

  constructor(answer: Curves, private epochs: number) {
    this.series = seriesOf(answer)
    for (const one of this.series) this.places.set(`${one.per} ${one.name}`, one)
    this.seq = Number(answer.last_event_id.split('-')[0]) || 0
    this.axis = answer.x
  }
  private readonly axis: Curves['x']

  /** 'anew': what is here is no longer so, and is to be asked for again. */
  take(event: StreamEvent): Taken {
    if (event.type === 'rewound') return 'anew'
    const seq = Number(event.data.seq)
    if (!(seq > this.seq)) return 'nothing'
    this.seq = seq
    if (event.type === 'started') return 'anew' // it may go on from an earlier epoch
    if (event.type === 'metric') return this.metric(event.data)
    return event.type === 'epoch' ? this.epoch(event.data) : 'nothing'
  }

  private metric(data: Record<string, unknown>): Taken {
    const [step, total] = [Number(data.step), Number(data.total_steps)]
    const epoch = this.epochs && total ? (step * this.epochs) / total : Number(data.epoch)
    const at = this.at(step, epoch, data.at)
    for (const [name, value] of Object.entries((data.values ?? {}) as Record<string, unknown>)) this.put('step', name, at, value)
    this.put('step', 'images_per_second', at, data.images_per_second)
    return 'longer'
  }

  private epoch(data: Record<string, unknown>): Taken {
    this.epochs = Number(data.total_epochs) || this.epochs
    const at = this.at(this.lastStep(), Number(data.epoch), data.at)
    for (const name of EPOCH_FIGURES) this.put('epoch', name, at, data[name])
    for (const [name, value] of Object.entries((data.terms ?? {}) as Record<string, unknown>)) this.put('epoch', `loss/${name}`, at, value)
    return 'longer'
  }

  private at(step: number, epoch: number, time: unknown): number {
    if (this.axis === 'epoch') return epoch
    return this.axis === 'step' ? step : Date.parse(String(time)) / 1000
  }

  private lastStep(): number {
    const steps = this.series.find((one) => one.per === 'step')?.x ?? []
    return steps[steps.length - 1] ?? 0
  }

  private put(per: Series['per'], name: string, x: number, value: unknown): void {
    if (value === null || value === undefined || Number.isNaN(x)) return
    const number = Number(value)
    const y = Number.isFinite(number) ? number : null
    const { x: xs, y: ys } = this.place(per, name)
    let n = xs.length
    while (n > 0 && (xs[n - 1] as number) > x) n -= 1
    const near = this.axis === 'time' ? SAME_SECONDS : 0
    if (n > 0 && x - (xs[n - 1] as number) <= near && !(this.axis === 'step' && per === 'epoch')) ys[n - 1] = y
    else if (near && n < xs.length && (xs[n] as number) - x <= near) ys[n] = y
    else {
      xs.splice(n, 0, x)
      ys.splice(n, 0, y)
    }
  }

  private place(per: Series['per'], name: string): Series {
    const key = `${per} ${name}`
    const found = this.places.get(key) ?? { name, per, x: [], y: [], sampled: false }
    if (!this.places.has(key)) {
      this.places.set(key, found)
      this.series.push(found)
    }
    return found
  }
}

/** The finer points of a stretch in place of those that were there. */
export function refined(coarse: Series, fine: Series | undefined): Series {
  if (!fine || fine.x.length === 0) return coarse
  const low = fine.x[0] as number
  const high = fine.x[fine.x.length - 1] as number
  const before = coarse.x.findIndex((x) => x >= low)
  const after = coarse.x.findIndex((x) => x > high)
  const head = before < 0 ? coarse.x.length : before
  const tail = after < 0 ? coarse.x.length : after
  return {
    ...coarse,
    x: [...coarse.x.slice(0, head), ...fine.x, ...coarse.x.slice(tail)],
    y: [...coarse.y.slice(0, head), ...fine.y, ...coarse.y.slice(tail)],
  }
}
