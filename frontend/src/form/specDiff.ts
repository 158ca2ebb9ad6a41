/** A spec as dotted fields: `optim.epochs` → 50. Lists and nothing stay whole. */
export function flattened(value: unknown, before = ''): Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return { [before]: value }
  const entries = Object.entries(value)
  if (entries.length === 0 && before !== '') return { [before]: value }
  return Object.assign({}, ...entries.map(([key, one]) => flattened(one, before ? `${before}.${key}` : key)))
}

/** How a value is written in a table; nothing at all is a dash. */
export function valueText(value: unknown): string {
  return value === undefined || value === null ? '–' : typeof value === 'string' ? value : JSON.stringify(value)
}

/** Fields that are never the same in two tasks, and say nothing of how they learn. */
export const UNCOMPARED = new Set(['task_id', 'run.output_dir'])
