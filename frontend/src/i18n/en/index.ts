const files = import.meta.glob<Record<string, unknown>>('./*.json', { eager: true, import: 'default' })

/** One object a file, under the file's name: `tasks.json` holds `tasks.…`. */
export default Object.fromEntries(
  Object.entries(files).map(([path, texts]) => [path.slice(2, -'.json'.length), texts]),
)
