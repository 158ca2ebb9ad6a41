import { ref, shallowRef } from 'vue'

import { api } from '@/api/client'
import { ApiError } from '@/api/errors'
import type { Task } from '@/api/types'

/**
 * One action on several tasks. The service has no such request, on purpose: each task may refuse for its own reason. Those
 * that refuse are named, the others are done all the same.
 */
export function useTaskBatch(after: () => Promise<void>) {
  const busy = ref(false)
  const error = shallowRef<ApiError | null>(null)

  async function each(tasks: Task[], run: (id: string) => Promise<unknown>): Promise<void> {
    busy.value = true
    const refused: { field: string; problem: string }[] = []
    for (const task of tasks) {
      try {
        await run(task.task_id)
      } catch (problem) {
        if (!(problem instanceof ApiError)) throw problem
        refused.push({ field: task.name, problem: problem.message })
      }
    }
    const [first] = refused
    error.value = first ? new ApiError(first.problem, 409, refused.length > 1 ? refused : []) : null
    busy.value = false
    await after()
  }

  const path = (id: string) => ({ params: { path: { task_id: id } } })
  return {
    busy,
    error,
    stop: (tasks: Task[]) =>
      each(
        tasks.filter((task) => task.status === 'RUNNING' || task.status === 'QUEUED'),
        (id) => api.POST('/api/v1/tasks/{task_id}/stop', path(id)),
      ),
    remove: (tasks: Task[], files: boolean) =>
      each(tasks, (id) =>
        api.DELETE('/api/v1/tasks/{task_id}', { params: { path: { task_id: id }, query: { files } } }),
      ),
  }
}
