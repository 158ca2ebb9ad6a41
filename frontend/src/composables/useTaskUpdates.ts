import { onScopeDispose } from 'vue'

import type { StreamEventType } from '@/api/events'

import { usePolling } from './usePolling'
import { type Stream, useStream } from './useStream'

/** What changes which tasks there are, or the state of one. */
const TYPES: readonly StreamEventType[] = ['state', 'created', 'deleted', 'asked']
const GATHERED_MS = 400
const LEAST_APART_MS = 2000
const PROGRESS_MS = 5000

/**
 * Loads a list anew when any task changes its state. The stream of all tasks tells that something changed, not what a
 * page of the list holds now, as that depends on its filters; several changes are one request, at most one in two
 * seconds. Progress is no change of state: while `moving` says that something shown is under way, it is also asked for
 * every few seconds.
 */
export function useTaskUpdates(load: () => Promise<void>, moving: () => boolean): Stream {
  let timer: ReturnType<typeof setTimeout> | undefined
  let last = -Infinity

  function soon(): void {
    // What comes while one is planned is told by it: a stream that never rests cannot put it off.
    if (timer !== undefined) return
    const wait = Math.max(GATHERED_MS, last + LEAST_APART_MS - performance.now())
    timer = setTimeout(() => {
      timer = undefined
      last = performance.now()
      void load()
    }, wait)
  }

  usePolling(moving, load, PROGRESS_MS)
  onScopeDispose(() => clearTimeout(timer))
  return useStream({
    path: '/api/v1/events',
    types: TYPES,
    from: 'now',
    onEvent: soon,
    poll: load,
  })
}
