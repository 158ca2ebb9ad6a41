import { onScopeDispose } from 'vue'
import { useRouter } from 'vue-router'

import { api, unwrap } from '@/api/client'
import { EVENT_TYPES } from '@/api/events'
import { useAction } from '@/composables/useAction'
import { useRequest } from '@/composables/useRequest'

import { useTaskStream } from './useTaskStream'

/** What a person may ask of a task; `clone` leads to another page. */
export type Action = 'start' | 'stop' | 'resume' | 'pause' | 'save' | 'clone' | { remove: { files: boolean } }

const GATHERED_MS = 600

/** One task as it is now. Its events do not carry the whole row, so each burst of them is one request for it. */
export function useTask(id: string) {
  const router = useRouter()
  const path = { path: { task_id: id } }
  const detail = useRequest((signal) => unwrap(api.GET('/api/v1/tasks/{task_id}', { signal, params: path })))
  const { busy, refused, act } = useAction()
  let timer: ReturnType<typeof setTimeout> | undefined

  const stream = useTaskStream(id, detail.load)
  stream.taskEvents.on(EVENT_TYPES, () => {
    timer ??= setTimeout(() => {
      timer = undefined
      void detail.load()
    }, GATHERED_MS)
  })
  onScopeDispose(() => clearTimeout(timer))

  async function begin(): Promise<void> {
    await detail.load()
    if (detail.data.value !== null) stream.start(detail.data.value.last_event_id)
  }
  void begin()

  async function run(action: Action): Promise<void> {
    if (action === 'clone') return void (await router.push({ name: 'new-task', query: { clone: id } }))
    if (typeof action === 'object') {
      await api.DELETE('/api/v1/tasks/{task_id}', { params: { ...path, query: action.remove } })
      return void (await router.push({ name: 'tasks' }))
    }
    detail.data.value = await unwrap(
      api.POST(`/api/v1/tasks/{task_id}/${action}` as '/api/v1/tasks/{task_id}/stop', { params: path }),
    )
  }

  return {
    task: detail.data, error: detail.error, loading: detail.loading, load: begin,
    connection: stream.connection, taskEvents: stream.taskEvents, act: (action: Action) => act(() => run(action)), busy, refused,
  }
}
