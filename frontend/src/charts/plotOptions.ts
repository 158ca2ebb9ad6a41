import uPlot from 'uplot'

import { type Axis, type Line, type Range, type Unit, aligned, toneColour, toneDash, smoothed } from './lines'

const FONT = '11px system-ui, sans-serif'
const FAINT = '4d'
const LETTER = 7
/** Ticks of clocks stand at whole minutes and hours. */
const CLOCK_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800]
const WIDE = 2

export interface PlotStyle {
  axis: Axis
  unit: Unit
  log: boolean
  smoothing: number
}

export interface PlotFormat {
  ticks: (at: (number | null)[], unit: Unit) => string[]
  place: (x: number, axis: Axis, width: number) => string
}

export interface PlotHandlers {
  cursor: (at: number | null) => void
  select: (range: Range) => void
  /** A drag with Shift: the part of the width it went, from its beginning. */
  grab: () => void
  pull: (part: number) => void
}

/** The lines as uPlot wants them: what is smoothed stands once faint, once smooth. */
export function plotData(lines: Line[], style: PlotStyle): uPlot.AlignedData {
  const drawn = lines.flatMap((line) => {
    const y = style.log ? line.y.map((value) => (value !== null && value > 0 ? value : null)) : line.y
    const raw = { x: line.x, y }
    return isSmooth(line, style) ? [raw, { x: line.x, y: smoothed(y, style.smoothing) }] : [raw]
  })
  return aligned(drawn) as uPlot.AlignedData
}

const isSmooth = (line: Line, style: PlotStyle): boolean => style.smoothing > 0 && line.smooth !== false

/** For each line the series that shows its value, from 1. */
export function valueSeries(lines: Line[], style: PlotStyle): number[] {
  let next = 0
  return lines.map((line) => (next += isSmooth(line, style) ? 2 : 1))
}

export function plotOptions(host: HTMLElement, lines: Line[], style: PlotStyle, format: PlotFormat, handlers: PlotHandlers): uPlot.Options {
  const computed = getComputedStyle(host)
  const colour = (name: string): string => computed.getPropertyValue(name).trim()
  const edge = { stroke: colour('--text-soft'), font: FONT, grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } }
  const series = lines.flatMap((line): uPlot.Series[] => {
    const stroke = colour(toneColour(line.tone))
    const full = { stroke, width: WIDE, dash: toneDash(line.tone), points: { stroke, fill: stroke, size: 5 } }
    if (!isSmooth(line, style)) return [full]
    return [{ stroke: stroke + FAINT, width: 1, points: { show: false } }, { ...full, points: { show: false } }]
  })
  return {
    width: host.clientWidth || 300,
    height: host.clientHeight || 200,
    legend: { show: false },
    padding: [8, 12, 0, 0],
    scales: { x: { time: false }, y: style.log ? { distr: 3, log: 10 } : { range: roomy } },
    series: [{}, ...series],
    axes: [
      {
        ...edge,
        size: 26,
        space: 70,
        ...(isClock(style.axis) ? { incrs: CLOCK_STEPS } : {}),
        values: (u, at) => at.map((x) => format.place(x, style.axis, widthOf(u))),
      },
      {
        ...edge,
        space: 34,
        size: (_u, words) => 14 + LETTER * Math.max(3, ...(words ?? []).map((one) => one?.length ?? 0)),
        values: (_u, at) => format.ticks(at, style.unit),
      },
    ],
    cursor: {
      drag: { x: true, y: false, setScale: false },
      points: { size: 7 },
      bind: { mousedown: (u, _over, handler) => (event) => begin(u, event, handler, handlers), dblclick: () => null },
    },
    hooks: {
      setCursor: [(u) => handlers.cursor(u.cursor.idx ?? null)],
      setSelect: [(u) => select(u, handlers)],
    },
  }
}

const isClock = (axis: Axis): boolean => axis === 'time' || axis === 'elapsed'

function widthOf(u: uPlot): number {
  return (u.scales.x?.max ?? 0) - (u.scales.x?.min ?? 0)
}

/** Some air above and below; a line that never moves lies in the middle. */
function roomy(_u: uPlot, low: number | null, high: number | null): uPlot.Range.MinMax {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1]
  const air = (high - low) * 0.06 || Math.abs(low) * 0.1 || 1
  return [low >= 0 && low - air < 0 ? 0 : low - air, high + air]
}

function select(u: uPlot, handlers: PlotHandlers): void {
  const { left, width } = u.select
  if (width < 4) return
  handlers.select([u.posToVal(left, 'x'), u.posToVal(left + width, 'x')])
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
}

function begin(u: uPlot, event: MouseEvent, handler: (event: MouseEvent) => null, handlers: PlotHandlers): null {
  if (!event.shiftKey) return handler(event)
  const from = event.clientX
  const width = u.over.clientWidth || 1
  handlers.grab()
  const go = (next: MouseEvent): void => handlers.pull((from - next.clientX) / width)
  const end = (): void => {
    document.removeEventListener('mousemove', go)
    document.removeEventListener('mouseup', end)
  }
  document.addEventListener('mousemove', go)
  document.addEventListener('mouseup', end)
  return null
}
