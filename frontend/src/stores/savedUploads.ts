/** Uploads that were begun, kept over a reload so that the same file goes on where it was. */
export interface SavedUpload {
  id: string
  name: string
  fileName: string
  size: number
  /** When the file was changed last. */
  modified: number
}

const KEY = 'tandem.uploads'

export function savedUploads(): SavedUpload[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]')
    return Array.isArray(found) ? found.filter((one): one is SavedUpload => typeof one?.id === 'string') : []
  } catch {
    return [] // private windows keep nothing
  }
}

export function saveUpload(one: SavedUpload): void {
  write([one, ...savedUploads().filter((other) => other.id !== one.id)])
}

export function forgetUpload(id: string): void {
  write(savedUploads().filter((one) => one.id !== id))
}

function write(all: SavedUpload[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(all))
  } catch {
    // It holds until the page is left then.
  }
}
