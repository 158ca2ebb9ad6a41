import { computed, onScopeDispose, ref, shallowRef } from 'vue'

import { api, unwrap } from '@/api/client'
import { ApiError } from '@/api/errors'

export type LogLevel = 'all' | 'warning' | 'error'
export interface LogLine {
  n: number
  text: string
  level: LogLevel
}

const TAIL_LINES = 2000
const PIECE_BYTES = 2 ** 18
const MOST_LINES = 200_000
// The log speaks the language of its run: these are English, and Chinese for error, failure, warning.
const ERROR = /^(\S+ \S+ )?(Error|Failed|\u9519\u8bef|\u5931\u8d25|Traceback)/
const WARNING = /^(\S+ \S+ )?(Warning|\u8b66\u544a)/

function levelOf(text: string): LogLevel {
  return ERROR.test(text) ? 'error' : WARNING.test(text) ? 'warning' : 'all'
}

/**
 * A run's log in pieces: its end first, what is before it on request, what is written meanwhile as it comes. A log may have
 * hundreds of megabytes, so it is never asked for whole; one piece is on its way at a time, as each begins where the one
 * before ended.
 */
export function useRunLog(id: string, stream: () => 'log' | 'stderr') {
  const lines = shallowRef<LogLine[]>([])
  const error = shallowRef<ApiError | null>(null)
  const loaded = ref(false)
  const begins = ref(0)
  let ends = 0
  let rest = ''
  let busy = false
  let stopped = false
  onScopeDispose(() => (stopped = true))

  const get = (query: { tail?: number; offset?: number; limit?: number }) =>
    unwrap(api.GET('/api/v1/tasks/{task_id}/log', { params: { path: { task_id: id }, query: { stream: stream(), ...query } } }))

  async function exclusively(run: () => Promise<void>): Promise<void> {
    if (busy || stopped) return
    busy = true
    try {
      await run()
      error.value = null
      loaded.value = true
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem
      error.value = problem
    } finally {
      busy = false
    }
  }

  function cut(text: string): string[] {
    const parts = text.split('\n')
    if (parts.at(-1) === '') parts.pop()
    return parts
  }

  const numbered = (texts: string[], first: number): LogLine[] =>
    texts.map((text, place) => ({ n: first + place, text, level: levelOf(text) }))

  /** Anew, from the end. */
  const load = () =>
    exclusively(async () => {
      const piece = await get({ tail: TAIL_LINES })
      begins.value = piece.offset
      ends = piece.next_offset
      rest = piece.text.endsWith('\n') || piece.text === '' ? '' : (piece.text.split('\n').at(-1) ?? '')
      lines.value = numbered(cut(piece.text), 0)
    })

  /** What was written since; a line that was half there is made whole. */
  const more = () =>
    exclusively(async () => {
      const piece = await get({ offset: ends, limit: PIECE_BYTES })
      if (piece.total_bytes < ends) return void setTimeout(() => void load()) // begun anew
      if (piece.text === '') return
      ends = piece.next_offset
      const before = rest === '' ? lines.value : lines.value.slice(0, -1)
      const text = rest + piece.text
      rest = text.endsWith('\n') ? '' : (text.split('\n').at(-1) ?? '')
      const first = (before.at(-1)?.n ?? -1) + 1
      lines.value = [...before, ...numbered(cut(text), first)].slice(-MOST_LINES)
    })

  /** A piece before the first line that is shown. */
  const earlier = () =>
    exclusively(async () => {
      const offset = Math.max(0, begins.value - PIECE_BYTES)
      const piece = await get({ offset, limit: Math.max(4, begins.value - offset) })
      const texts = cut(piece.text)
      if (offset > 0) texts.shift() // most likely the end of a line
      const skipped = offset > 0 ? piece.text.indexOf('\n') + 1 : 0
      begins.value = piece.offset + new TextEncoder().encode(piece.text.slice(0, skipped)).length
      const first = (lines.value[0]?.n ?? 0) - texts.length
      lines.value = [...numbered(texts, first), ...lines.value]
    })

  return { lines, error, loaded, load, more, earlier, hasEarlier: computed(() => begins.value > 0) }
}
