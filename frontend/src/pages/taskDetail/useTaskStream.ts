import type { Ref } from 'vue'

import { EVENT_TYPES, type EventType } from '@/api/events'
import { type Connection, type StreamEvent, useStream } from '@/composables/useStream'

/** Told while no stream can be held: what a tab shows is to be asked for again. */
export const POLLED = 'polled'

type Listener = (event: StreamEvent) => void

/** The page's one stream, shared by its tabs. */
export interface TaskEvents {
  /** Hears events of these types until the function that it gives is called. */
  on: (types: readonly (EventType | typeof POLLED)[], listener: Listener) => () => void
  /** The last id heard: what came later comes by `on`. */
  lastId: Ref<string>
}

export interface TaskStream {
  taskEvents: TaskEvents
  connection: Ref<Connection>
  /** Listens for what comes after this id: the task's own `last_event_id`, so that nothing is missed since. */
  start: (from: string) => void
}

/**
 * One task's events, heard once by the page and passed on to whichever tab is shown: a browser keeps
 * six connections to a host at most, and each tab with its own stream would soon hold them all.
 * Call it in setup; `poll` is asked while no stream can be held.
 */
export function useTaskStream(id: string, poll: () => Promise<void>): TaskStream {
  const listeners = new Set<{ types: ReadonlySet<string>; listener: Listener }>()
  const stream = useStream({
    path: `/api/v1/tasks/${encodeURIComponent(id)}/events`,
    types: EVENT_TYPES,
    deferred: true,
    onEvent: publish,
    poll: async () => {
      await poll()
      publish({ id: '', type: POLLED, data: {} })
    },
  })

  function publish(event: StreamEvent): void {
    for (const one of [...listeners]) if (one.types.has(event.type)) one.listener(event)
  }

  return {
    taskEvents: {
      on: (types, listener) => {
        const one = { types: new Set<string>(types), listener }
        listeners.add(one)
        return () => listeners.delete(one)
      },
      lastId: stream.lastId,
    },
    connection: stream.connection,
    start: stream.start,
  }
}
