/** Uploads that were begun, kept over a reload so that the same file goes on where it was. */
export interface Kept {
  id: string
  name: string
  fileName: string
  size: number
  /** When the file was changed last. */
  modified: number
}

const KEY = 'tandem.uploads'

export function kept(): Kept[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]')
    return Array.isArray(found) ? found.filter((one): one is Kept => typeof one?.id === 'string') : []
  } catch {
    return [] // private windows keep nothing
  }
}

export function keep(one: Kept): void {
  write([one, ...kept().filter((other) => other.id !== one.id)])
}

export function forget(id: string): void {
  write(kept().filter((one) => one.id !== id))
}

function write(all: Kept[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(all))
  } catch {
    // It holds until the page is left then.
  }
}
