import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { useUploads } from '../src/stores/uploads'

/** The routes of uploads, as the service answers them; `broken` is no answer at all. */
class Service {
  received = new Uint8Array()
  size = 0
  dropped = false
  broken = false
  puts: number[] = []
  /** Takes the first bytes of the next piece and breaks off. */
  breaksAfter: number | null = null
  refuses: { status: number; detail: string } | null = null

  answer = async (request: Request): Promise<Response> => {
    if (this.broken) throw new TypeError('Failed to fetch')
    const path = new URL(request.url).pathname
    if (request.method === 'POST' && path.endsWith('/uploads')) {
      if (this.refuses) return this.said(this.refuses, this.refuses.status)
      this.size = ((await request.json()) as { size: number }).size
      return this.shown('RECEIVING', 201)
    }
    if (request.method === 'PUT') return this.take(request)
    if (request.method === 'DELETE') this.dropped = true
    if (request.method === 'DELETE') return new Response(null, { status: 204 })
    return this.shown(path.endsWith('/complete') ? 'READY' : 'RECEIVING')
  }

  private async take(request: Request): Promise<Response> {
    const offset = Number(request.headers.get('Upload-Offset'))
    this.puts.push(offset)
    if (offset !== this.received.length) return this.said({ detail: 'does not fit' }, 409)
    const piece = new Uint8Array(await request.arrayBuffer())
    const kept = piece.slice(0, this.breaksAfter ?? piece.length)
    this.received = new Uint8Array(await new Blob([this.received, kept]).arrayBuffer())
    if (this.breaksAfter === null) return this.shown('RECEIVING')
    this.breaksAfter = null
    throw new TypeError('Failed to fetch')
  }

  private shown(status: string, code = 200): Response {
    const dataset = status === 'READY' ? 'birds' : null
    return this.said({ id: 'u1', status, offset: this.received.length, dataset, message: null }, code)
  }
  private said = (body: unknown, status: number): Response => Response.json(body, { status })
}

const BYTES = Uint8Array.from({ length: 3 * 2 ** 20 + 5 }, (_, at) => at % 251)
const zip = () => new File([BYTES], 'birds.zip', { lastModified: 7 })
let service: Service

beforeEach(() => {
  localStorage.clear()
  setActivePinia(createPinia())
  service = new Service()
  vi.stubGlobal('fetch', service.answer)
})
afterEach(() => vi.unstubAllGlobals())

describe('an upload', () => {
  it('comes whole, piece after piece, and is forgotten when it is done', async () => {
    const one = await useUploads().start('birds', zip())
    await expect.poll(() => one.stage).toBe('done')
    expect(Buffer.compare(service.received, BYTES)).toBe(0)
    expect(service.puts.length).toBeGreaterThan(1)
    expect(one.dataset).toBe('birds')
    expect(localStorage.getItem('tandem.uploads')).toBe('[]')
  })

  it('goes on by itself after a break, from what the service has', async () => {
    service.breaksAfter = 1000
    const one = await useUploads().start('birds', zip())
    await expect.poll(() => one.stage).toBe('broken')
    await expect.poll(() => one.stage, { timeout: 5000 }).toBe('done')
    expect(service.puts.slice(0, 2)).toEqual([0, 1000])
    expect(Buffer.compare(service.received, BYTES)).toBe(0)
  })

  it('goes on after a reload when the same file is chosen again', async () => {
    service.breaksAfter = 2000
    const before = useUploads()
    const left = await before.start('birds', zip())
    await expect.poll(() => left.stage).toBe('broken')
    before.pause(left)

    setActivePinia(createPinia()) // the page is loaded anew
    const after = useUploads()
    expect(after.all.map((one) => [one.stage, one.fileName])).toEqual([['asleep', 'birds.zip']])
    expect(after.sameFile(new File([BYTES], 'other.zip', { lastModified: 7 }))).toBeUndefined()
    const one = await after.start('', zip())
    await expect.poll(() => one.stage).toBe('done')
    expect(service.puts[1]).toBe(2000)
    expect(Buffer.compare(service.received, BYTES)).toBe(0)
  })

  it('is not begun when the service refuses it, and keeps its sentence', async () => {
    service.refuses = { status: 409, detail: 'There is a data set birds already.' }
    await expect(useUploads().start('birds', zip())).rejects.toThrow('There is a data set birds already.')
    expect(useUploads().all).toEqual([])
    expect(localStorage.getItem('tandem.uploads')).toBeNull()
  })

  it('leaves nothing when it is given up', async () => {
    service.breaksAfter = 10
    const store = useUploads()
    const one = await store.start('birds', zip())
    await expect.poll(() => one.stage).toBe('broken')
    await store.discard(one)
    expect(store.all).toEqual([])
    expect(service.dropped).toBe(true)
    expect(localStorage.getItem('tandem.uploads')).toBe('[]')
  })
})
