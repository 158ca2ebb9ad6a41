/** Figures of which less is better. */
const LESS = new Set(['ece', 'nll', 'latency_milliseconds', 'size_bytes', 'parameters', 'seconds'])

/** The places of the best value of a figure; empty where there is only one, or all are the same. */
export function bestOf(name: string, values: readonly (number | null | undefined)[]): number[] {
  const known = values.filter((value) => typeof value === 'number')
  const best = LESS.has(name) ? Math.min(...known) : Math.max(...known)
  if (known.length < 2 || known.every((value) => value === best)) return []
  return values.flatMap((value, place) => (value === best ? [place] : []))
}
