import { type Ref, computed, shallowRef, watch } from 'vue'

import { api, unwrap } from '@/api/client'
import { ApiError } from '@/api/errors'
import type { Curves, RunReport, TaskDetail } from '@/api/types'
import { type Series, seriesOf } from '@/charts/curveSeries'
import type { Axis } from '@/charts/lines'
import { useRequest } from '@/composables/useRequest'
import { useTaskUpdates } from '@/composables/useTaskUpdates'

export const MOST = 8

/** One task beside the others. `series` are on the axis that was asked for. */
export interface ComparedTask {
  task: TaskDetail
  report: RunReport | null
  series: Series[]
}

const POINTS = 600
const MOVING = new Set(['RUNNING', 'QUEUED'])
const NOT_FOUND = 404

/**
 * The tasks of these ids with their reports and curves. One that is not there is named in `missing`, and the others are
 * shown: an address that was kept for weeks is worth more with one task less than an error.
 */
export function useComparison(ids: Ref<string[]>, axis: Ref<Axis>) {
  const missing = shallowRef<string[]>([])
  const request = useRequest(async (signal) => {
    const found = await Promise.all(ids.value.map((id) => loadTask(id, axis.value, signal)))
    missing.value = ids.value.filter((_, n) => found[n] === null)
    return found.filter((each) => each !== null)
  })
  const compared = computed<ComparedTask[]>(() => request.data.value ?? [])
  watch([ids, axis], request.load, { immediate: true })
  useTaskUpdates(request.load, () => compared.value.some(({ task }) => MOVING.has(task.status ?? '')))
  return { compared, missing, error: request.error, loading: request.loading, load: request.load, loaded: computed(() => request.data.value !== null) }
}

async function loadTask(id: string, axis: Axis, signal: AbortSignal): Promise<ComparedTask | null> {
  const params = { path: { task_id: id } }
  const x = axis === 'elapsed' ? 'time' : 'epoch'
  const task = await orNull(unwrap(api.GET('/api/v1/tasks/{task_id}', { signal, params })))
  if (task === null) return null
  const [curves, report] = await Promise.all([
    orNull(unwrap(api.GET('/api/v1/tasks/{task_id}/curves', { signal, params: { ...params, query: { x, points: POINTS } } }))),
    task.status === 'COMPLETED' ? orNull(unwrap(api.GET('/api/v1/tasks/{task_id}/report', { signal, params }))) : null,
  ])
  return { task, report, series: curves ? onAxis(curves, axis, task) : [] }
}

/** A task may be deleted meanwhile, and one of another system has no report. */
async function orNull<T>(question: Promise<T>): Promise<T | null> {
  try {
    return await question
  } catch (problem) {
    if (problem instanceof ApiError && problem.status === NOT_FOUND) return null
    throw problem
  }
}

function onAxis(answer: Curves, axis: Axis, task: TaskDetail): Series[] {
  const series = seriesOf(answer)
  const begins = Math.min(...series.flatMap((each) => each.x.slice(0, 1)))
  const { total_steps, total_epochs } = task
  const steps = total_steps && total_epochs ? total_steps / total_epochs : 1
  const place = (x: number): number => (axis === 'elapsed' ? x - begins : axis === 'step' ? x * steps : x)
  return series.map((each) => ({ ...each, x: each.x.map(place) }))
}
