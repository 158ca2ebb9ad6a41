import { type Ref, onScopeDispose, ref } from 'vue'

/** One event of a stream. */
export interface StreamEvent {
  id: string
  type: string
  data: Record<string, unknown>
}

export type Connection = 'connecting' | 'live' | 'polling' | 'lost'

export interface StreamOptions {
  /** Path of the stream, without `last_event_id`. */
  path: string
  /** Event types to listen for. */
  types: readonly string[]
  /** Where to begin; '' hears all there is. */
  from?: string
  /** Listens only once `start` was called. */
  deferred?: boolean
  onEvent: (event: StreamEvent) => void
  /**
   * Asked every few seconds while no stream can be held, and once after a break of a stream that has
   * heard nothing yet, as it has no id to go on from; it catches up by other routes.
   */
  poll?: () => Promise<void>
  /** Made by tests. */
  open?: (url: string) => EventSource
}

export interface Stream {
  connection: Ref<Connection>
  lastId: Ref<string>
  /** Listens (anew) for what comes after this id. */
  start: (from: string) => void
  close: () => void
}

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 5000
const OPENS_WITHIN_MS = 8000
const POLL_MS = 3000
const POLLS_AFTER = 3
/** The service's signs of life are not shown to scripts: a line this quiet may be dead, and is laid anew. */
const SILENCE_MS = 60_000

/**
 * Server-sent events that miss nothing: each new connection asks for what came after the last id,
 * and what was heard already is dropped. While the page is hidden the stream rests, as a browser
 * keeps six connections to a host at most. After three failures it polls between its tries.
 */
export function useStream(options: StreamOptions): Stream {
  const connection = ref<Connection>('connecting')
  const lastId = ref(options.from ?? '')
  const seen = new SeenIds(lastId.value)
  let source: EventSource | null = null
  let retryTimer: ReturnType<typeof setTimeout> | undefined
  let pollTimer: ReturnType<typeof setTimeout> | undefined
  let silenceTimer: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  let broken = false
  let closed = false
  let waiting = options.deferred === true

  function start(from: string): void {
    waiting = false
    lastId.value = from
    seen.restart(from)
    disconnect()
    connect()
  }

  function connect(): void {
    if (closed || waiting || document.hidden) return
    const opened = (options.open ?? ((url) => new EventSource(url)))(address())
    source = opened
    // A proxy may take the request and never answer; the browser alone would wait for ever.
    retryTimer = setTimeout(() => onFailed(opened), OPENS_WITHIN_MS)
    opened.onopen = () => {
      if (opened === source) onOpened()
    }
    opened.onerror = () => onFailed(opened)
    // A named event is heard only by a listener of its name: `onmessage` would hear none of them.
    for (const type of options.types) {
      opened.addEventListener(type, (event) => {
        if (opened === source) receive(type, event as MessageEvent<string>)
      })
    }
  }

  function onOpened(): void {
    clearTimeout(retryTimer)
    clearTimeout(pollTimer)
    failures = 0
    connection.value = 'live'
    watchSilence()
    const unplaced = lastId.value === 'now' || lastId.value === ''
    if (broken && unplaced) void options.poll?.().catch(() => undefined) // the next break asks again
    broken = false
  }

  function watchSilence(): void {
    clearTimeout(silenceTimer)
    silenceTimer = setTimeout(reconnect, SILENCE_MS)
  }

  function reconnect(): void {
    disconnect()
    connect()
  }

  function address(): string {
    const url = new URL(options.path, globalThis.location.origin)
    if (lastId.value) url.searchParams.set('last_event_id', lastId.value)
    return url.pathname + url.search
  }

  function receive(type: string, event: MessageEvent<string>): void {
    watchSilence()
    if (event.lastEventId && !seen.isNew(event.lastEventId)) return
    if (event.lastEventId) lastId.value = event.lastEventId
    options.onEvent({
      id: event.lastEventId,
      type,
      data: JSON.parse(event.data) as Record<string, unknown>,
    })
  }

  function onFailed(failedSource: EventSource): void {
    if (failedSource !== source || closed) return
    disconnect() // else the browser would try again by itself, with the address of before
    broken = true
    failures += 1
    const polls = options.poll !== undefined && failures >= POLLS_AFTER
    connection.value = polls && connection.value === 'polling' ? 'polling' : 'lost'
    retryTimer = setTimeout(connect, Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1)))
    if (polls) void pollOnce()
  }

  async function pollOnce(): Promise<void> {
    clearTimeout(pollTimer)
    if (closed || document.hidden || connection.value === 'live' || options.poll === undefined) return
    try {
      await options.poll()
      if (connection.value !== ('live' as Connection)) connection.value = 'polling'
    } catch {
      if (connection.value !== ('live' as Connection)) connection.value = 'lost'
    }
    if (!closed && !document.hidden && connection.value !== ('live' as Connection)) {
      clearTimeout(pollTimer)
      pollTimer = setTimeout(() => void pollOnce(), POLL_MS)
    }
  }

  function disconnect(): void {
    clearTimeout(retryTimer)
    clearTimeout(silenceTimer)
    source?.close()
    source = null
  }

  function onVisible(): void {
    if (document.hidden) {
      disconnect()
      clearTimeout(pollTimer)
      broken = true
    } else if (source === null) {
      clearTimeout(retryTimer)
      connect()
    }
  }

  /** The network is back: there is no need to wait any longer. */
  function onOnline(): void {
    if (source === null && connection.value !== 'live' && !document.hidden) reconnect()
  }

  function close(): void {
    closed = true
    disconnect()
    clearTimeout(pollTimer)
    globalThis.removeEventListener('online', onOnline)
    document.removeEventListener('visibilitychange', onVisible)
  }

  document.addEventListener('visibilitychange', onVisible)
  globalThis.addEventListener('online', onOnline)
  onScopeDispose(close)
  connect()
  return { connection, lastId, start, close }
}

/** Which ids have been heard: `run-task`, two counters of which each event moves one. */
class SeenIds {
  // The run's journal counts for itself, the service's own events for all tasks together.
  private run = 0
  private task = 0

  constructor(id: string) {
    this.keep(id)
  }

  isNew(id: string): boolean {
    const [run, task] = parts(id)
    const fresh = run > this.run || task > this.task
    // A run that was rewound says so by a task event, and counts from an earlier number after it.
    if (fresh) this.keep(id)
    return fresh
  }

  restart(id: string): void {
    this.keep(id)
  }

  private keep(id: string): void {
    ;[this.run, this.task] = parts(id)
  }
}

function parts(id: string): [number, number] {
  const [run, task] = id.split('-').map(Number)
  return [run || 0, task || 0]
}
