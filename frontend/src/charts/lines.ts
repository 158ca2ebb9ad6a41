/** One line of a chart; a null is a value that was no number. `x` only grows. */
export interface Line {
  name: string
  label: string
  x: number[]
  y: (number | null)[]
  /** Which colour and dash, from 0. */
  tone: number
  /** Whether smoothing concerns it. */
  smooth?: boolean
}
export type Axis = 'step' | 'epoch' | 'time' | 'elapsed'
export type Unit = 'number' | 'percent' | 'share' | 'megabytes' | 'seconds'
export type Range = [number, number]

export const TONES = 8
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]]

/** The dash tells lines apart where their colours do not. */
export const toneDash = (tone: number): number[] => DASHES[tone % DASHES.length] ?? []
export const toneColour = (tone: number): string => `--curve-${tone % TONES}`

/** Exponential moving average without the pull to zero of its beginning; gaps stay gaps. */
export function smoothed(y: (number | null)[], weight: number): (number | null)[] {
  let sum = 0
  let mass = 0
  return y.map((value) => {
    if (value === null) return null
    sum = sum * weight + (1 - weight) * value
    mass = mass * weight + (1 - weight)
    return sum / mass
  })
}

/** All x in order, and each line's values at them: undefined where it has none. */
export function aligned(lines: Pick<Line, 'x' | 'y'>[]): (number | null | undefined)[][] {
  const [first] = lines
  if (first === undefined) return [[]]
  if (lines.every((line) => line.x === first.x)) return [first.x, ...lines.map((line) => line.y)]
  const all = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b)
  const place = new Map(all.map((x, at) => [x, at]))
  return [all, ...lines.map((line) => spread(line, place, all.length))]
}

function spread(line: Pick<Line, 'x' | 'y'>, place: Map<number, number>, length: number) {
  const out = new Array<number | null | undefined>(length)
  line.x.forEach((x, at) => (out[place.get(x) as number] = line.y[at]))
  return out
}

/** The first and last x of all lines; null where there is no point. */
export function extent(lines: Pick<Line, 'x'>[]): Range | null {
  const ends = lines.filter((line) => line.x.length).flatMap((line) => [line.x[0], line.x[line.x.length - 1]] as Range)
  return ends.length ? [Math.min(...ends), Math.max(...ends)] : null
}

/** `range` made `factor` times as wide around `centre`, within `all`; null when that is everything. */
export function zoomed(range: Range, all: Range, factor: number, centre: number): Range | null {
  const low = centre - (centre - range[0]) * factor
  return within([low, low + (range[1] - range[0]) * factor], all)
}

/** `range` moved by a part of its own width, within `all`. */
export function moved(range: Range, all: Range, part: number): Range | null {
  const width = range[1] - range[0]
  const low = Math.min(all[1] - width, Math.max(all[0], range[0] + part * width))
  return within([low, low + width], all)
}

function within(range: Range, all: Range): Range | null {
  const low = Math.max(all[0], range[0])
  const high = Math.min(all[1], range[1])
  const least = (all[1] - all[0]) * 1e-6
  return low <= all[0] && high >= all[1] ? null : [low, Math.max(high, low + least)]
}

/** The last value at or before place `at`. */
export function valueAt(values: (number | null | undefined)[], at: number): number | null {
  for (let n = Math.min(at, values.length - 1); n >= 0; n -= 1) {
    const value = values[n]
    if (value !== null && value !== undefined) return value
  }
  return null
}

/** Last, least and most of a line; nulls where it has no number. */
export function facts(y: (number | null)[]): { last: number | null; least: number | null; most: number | null } {
  let least: number | null = null
  let most: number | null = null
  for (const value of y) {
    if (value === null) continue
    if (least === null || value < least) least = value
    if (most === null || value > most) most = value
  }
  return { last: valueAt(y, y.length), least, most }
}
