import { type EffectScope, effectScope } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { type Stream, type StreamEvent, type StreamOptions, useStream } from '../src/composables/useStream'

/** An EventSource whose server is the test. */
class Line {
  onopen: (() => void) | null = null
  onerror: (() => void) | null = null
  closed = false
  private ears = new Map<string, (event: unknown) => void>()
  constructor(readonly url: string) {}
  addEventListener(type: string, ear: (event: unknown) => void): void {
    this.ears.set(type, ear)
  }
  say(id: string, type = 'metric', data: object = {}): void {
    this.ears.get(type)?.({ lastEventId: id, data: JSON.stringify(data) })
  }
  close(): void {
    this.closed = true
  }
}

let lines: Line[] = []
let heard: StreamEvent[] = []
let scope: EffectScope
let hidden = false

function begin(more: Partial<StreamOptions> = {}): Stream {
  scope = effectScope()
  return scope.run(() =>
    useStream({
      path: '/api/v1/tasks/T/events',
      types: ['metric', 'state', 'rewound'],
      onEvent: (event) => heard.push(event),
      open: (url) => {
        lines.push(new Line(url))
        return newest() as unknown as EventSource
      },
      ...more,
    }),
  ) as Stream
}
const newest = (): Line => lines[lines.length - 1] as Line
const ids = (): string[] => heard.map((event) => event.id)
const live = (): void => newest().onopen?.()
const drop = (): void => newest().onerror?.()
async function wait(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds)
}
function look(away: boolean): void {
  hidden = away
  document.dispatchEvent(new Event('visibilitychange'))
}

beforeEach(() => {
  vi.useFakeTimers()
  lines = []
  heard = []
  hidden = false
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden)
})
afterEach(() => {
  scope.stop()
  vi.restoreAllMocks()
  vi.useRealTimers()
})

describe('a stream', () => {
  it('goes on from the last id after a break, and drops what it has heard', async () => {
    const stream = begin({ from: '3-0' })
    expect(newest().url).toBe('/api/v1/tasks/T/events?last_event_id=3-0')
    live()
    newest().say('4-0')
    newest().say('5-0')
    drop()
    expect(stream.connection.value).toBe('lost')
    await wait(500)
    expect(newest().url).toContain('last_event_id=5-0')
    live()
    expect(stream.connection.value).toBe('live')
    newest().say('5-0')
    newest().say('6-0')
    newest().say('6-1', 'state')
    newest().say('6-1', 'state')
    expect(ids()).toEqual(['4-0', '5-0', '6-0', '6-1'])
  })

  it('hears nothing of a line it has left', async () => {
    begin()
    live()
    const old = newest()
    drop()
    await wait(500)
    live()
    old.say('9-0')
    old.onerror?.()
    expect(heard).toEqual([])
    expect(lines).toHaveLength(2)
  })

  it('follows a run that was rewound', () => {
    begin({ from: '9-2' })
    live()
    newest().say('4-3', 'rewound', { seq: 4 })
    newest().say('5-3')
    newest().say('5-3')
    newest().say('6-3')
    expect(ids()).toEqual(['4-3', '5-3', '6-3'])
    expect(heard[0]?.data).toEqual({ seq: 4 })
  })

  it('rests while the page is hidden, and goes on where it was', () => {
    begin()
    live()
    newest().say('1-0')
    look(true)
    expect(newest().closed).toBe(true)
    look(false)
    expect(lines).toHaveLength(2)
    expect(newest().url).toContain('last_event_id=1-0')
  })

  it('opens nothing while the page is hidden from the beginning', () => {
    hidden = true
    begin()
    expect(lines).toEqual([])
    look(false)
    expect(lines).toHaveLength(1)
  })

  it('polls while no stream can be held, tries on, and comes back to live', async () => {
    const poll = vi.fn(async () => undefined)
    const stream = begin({ poll, from: '2-0' })
    for (const pause of [500, 1000]) {
      drop()
      expect(poll).not.toHaveBeenCalled()
      await wait(pause)
    }
    drop()
    await wait(0)
    expect(stream.connection.value).toBe('polling')
    await wait(1999)
    expect(poll).toHaveBeenCalledTimes(1)
    await wait(1002)
    expect(poll).toHaveBeenCalledTimes(2)
    live()
    expect(stream.connection.value).toBe('live')
    newest().say('3-0')
    await wait(20_000)
    expect(poll).toHaveBeenCalledTimes(2)
    expect(ids()).toEqual(['3-0'])
  })

  it('says that the service is away as long as it is, tries at most five seconds apart, and misses nothing', async () => {
    const poll = vi.fn(async () => Promise.reject(new Error('away')))
    const stream = begin({ poll })
    live()
    newest().say('1-0')
    for (let n = 0; n < 40; n += 1) {
      drop()
      expect(stream.connection.value).toBe('lost')
      const before = lines.length
      await wait(5000)
      expect(lines).toHaveLength(before + 1)
    }
    live()
    newest().say('2-0')
    expect(stream.connection.value).toBe('live')
    expect(newest().url).toContain('last_event_id=1-0')
    expect(ids()).toEqual(['1-0', '2-0'])
  })

  it('does not wait for ever for a line that never opens', async () => {
    begin()
    await wait(8000)
    expect(newest().closed).toBe(true)
    await wait(500)
    expect(lines).toHaveLength(2)
  })

  it('lays a line anew that has been silent for long, without calling it lost', async () => {
    const stream = begin()
    live()
    newest().say('1-0')
    await wait(59_000)
    newest().say('2-0')
    await wait(59_000)
    expect(lines).toHaveLength(1)
    await wait(1000)
    expect(lines).toHaveLength(2)
    expect(newest().url).toContain('last_event_id=2-0')
    expect(stream.connection.value).toBe('live')
  })

  it('catches up once by other routes when it has no id to go on from', async () => {
    const poll = vi.fn(async () => undefined)
    begin({ poll, from: 'now' })
    live()
    expect(poll).not.toHaveBeenCalled()
    drop()
    await wait(500)
    live()
    expect(poll).toHaveBeenCalledTimes(1)
    newest().say('0-7', 'state')
    drop()
    await wait(500)
    live()
    expect(poll).toHaveBeenCalledTimes(1)
    expect(newest().url).toContain('last_event_id=0-7')
  })

  it('tries at once when the network is back', async () => {
    begin()
    for (const pause of [500, 1000, 2000]) {
      drop()
      await wait(pause)
    }
    drop()
    const before = lines.length
    globalThis.dispatchEvent(new Event('online'))
    expect(lines).toHaveLength(before + 1)
  })

  it('ends with the component that opened it', async () => {
    begin()
    live()
    scope.stop()
    expect(newest().closed).toBe(true)
    look(true)
    look(false)
    await wait(120_000)
    expect(lines).toHaveLength(1)
  })
})
