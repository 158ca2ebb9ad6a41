import type { Series } from './curveSeries'
import type { Unit } from './lines'

/** The series of one chart. */
export interface Group {
  name: string
  /** A loss term's own name. */
  term: string | null
  unit: Unit
  series: Series[]
}

const KNOWN: [string, string[], Unit][] = [
  ['loss', ['loss', 'train_loss', 'val_loss'], 'number'],
  ['accuracy', ['train_accuracy', 'val_accuracy'], 'share'],
  ['learning_rate', ['learning_rate'], 'number'],
  ['grad_norm', ['grad_norm'], 'number'],
  ['gpu_usage_percent', ['gpu_usage_percent'], 'percent'],
  ['memory_megabytes', ['memory_megabytes'], 'megabytes'],
  ['images_per_second', ['images_per_second'], 'number'],
  ['seconds', ['seconds'], 'seconds'],
]
const TERMS_AFTER = 2
const TERM = 'loss/'
/** Told at steps they say all that their epochs do. */
const STEPS_SUFFICE = new Set(['learning_rate', 'images_per_second'])

/** Which series stand together: loss, accuracy, each loss term by itself, the rest. */
export function groupsOf(all: Series[]): Group[] {
  const series = all.filter((one) => one.x.length > 0)
  const stepped = new Set(series.filter((one) => one.per === 'step').map((one) => one.name))
  const drawn = series.filter((one) => one.per === 'step' || !STEPS_SUFFICE.has(one.name) || !stepped.has(one.name))
  const known = KNOWN.map(([name, names, unit]): Group => ({
    name, term: null, unit, series: names.flatMap((each) => drawn.filter((one) => one.name === each)),
  }))
  const grouped = new Set(KNOWN.flatMap(([, names]) => names))
  const others = [...new Set(drawn.map((one) => one.name))].filter((name) => !grouped.has(name))
  const group = (name: string): Group => ({
    name, term: name.startsWith(TERM) ? name.slice(TERM.length) : null, unit: 'number',
    series: drawn.filter((one) => one.name === name),
  })
  const terms = others.filter((name) => name.startsWith(TERM)).map(group)
  const rest = others.filter((name) => !name.startsWith(TERM)).map(group)
  return [...known.slice(0, TERMS_AFTER), ...terms, ...known.slice(TERMS_AFTER), ...rest].filter((one) => one.series.length > 0)
}
