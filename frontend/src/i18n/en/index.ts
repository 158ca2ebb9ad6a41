const shared = import.meta.glob<Record<string, unknown>>('./*.json', { eager: true, import: 'default' })
const pages = import.meta.glob<Record<string, unknown>>('../../pages/*/en.json', { eager: true, import: 'default' })

const stem = (path: string): string => (path.split('/').at(-1) ?? '').slice(0, -'.json'.length)
const folder = (path: string): string => path.split('/').at(-2) ?? ''

/** One object a file: `units.json` holds `units.…`, and `pages/system/en.json` holds `system.…`. */
export default Object.fromEntries([
  ...Object.entries(shared).map(([path, texts]) => [stem(path), texts]),
  ...Object.entries(pages).map(([path, texts]) => [folder(path), texts]),
])
