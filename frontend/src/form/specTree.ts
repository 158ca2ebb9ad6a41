/** A spec as it is written in YAML: only what was said. */
export type Tree = { [key: string]: unknown }

const isTree = (value: unknown): value is Tree =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** What stands at `optim.epochs`, or undefined. */
export function get(tree: Tree, path: string): unknown {
  return path.split('.').reduce<unknown>((at, key) => (isTree(at) ? at[key] : undefined), tree)
}

/** A copy with `value` there; undefined takes it away, and sections that are empty then. */
export function put(tree: Tree, path: string, value: unknown): Tree {
  const [key = '', ...rest] = path.split('.')
  if (rest.length === 0) {
    const { [key]: _, ...others } = tree
    return value === undefined ? others : { ...tree, [key]: value }
  }
  const below = put(isTree(tree[key]) ? tree[key] : {}, rest.join('.'), value)
  return put(tree, key, Object.keys(below).length === 0 ? undefined : below)
}

/** Whether two values are the same as JSON. */
export function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one ?? null) === JSON.stringify(other ?? null)
}
