import { type Ref, computed, onScopeDispose, shallowRef, triggerRef, watch } from 'vue'

import { api, unwrap } from '@/api/client'
import type { Curves, TaskDetail } from '@/api/types'
import { CurveSeries, type Series, seriesOf } from '@/charts/curveSeries'
import type { Axis, Range } from '@/charts/lines'
import { useRequest } from '@/composables/useRequest'
import type { StreamEvent } from '@/composables/useStream'

import { POLLED, type TaskEvents } from './useTaskStream'

const POINTS = 1000
const FINE_POINTS = 2000
const GATHERED_MS = 250
const RETRIED_MS = 3000
const TYPES = ['metric', 'epoch', 'started', 'rewound', POLLED] as const

/**
 * A run's curves as they grow: the service's down-sampled history, lengthened by events instead of asked for again, as
 * a run may say something many times a second. What is heard while the history is on its way is kept and added to it.
 * Steps are epochs times the steps of an epoch, so that what is said once an
 * epoch stands at that epoch's last step.
 */
export function useCurves(task: () => TaskDetail, taskEvents: TaskEvents, axis: Ref<Axis>) {
  const rows = shallowRef<CurveSeries | null>(null)
  let buffered: StreamEvent[] | null = null
  let reloadTimer: ReturnType<typeof setTimeout> | undefined
  let redrawTimer: ReturnType<typeof setTimeout> | undefined

  const stepsAnEpoch = computed(() => {
    const { total_steps, total_epochs } = task()
    return total_steps && total_epochs ? total_steps / total_epochs : null
  })
  /** What the service is asked by, and how much one of it is on the axis. */
  const requestAxis = computed<Curves['x']>(() =>
    axis.value === 'time' ? 'time' : axis.value === 'epoch' || stepsAnEpoch.value ? 'epoch' : 'step',
  )
  const scale = computed(() => (axis.value === 'step' && requestAxis.value === 'epoch' ? (stepsAnEpoch.value ?? 1) : 1))

  const request = (more: { names?: string; from?: number; to?: number; points: number }, signal?: AbortSignal) =>
    unwrap(
      api.GET('/api/v1/tasks/{task_id}/curves', {
        ...(signal ? { signal } : {}),
        params: { path: { task_id: task().task_id }, query: { x: requestAxis.value, ...more } },
      }),
    )
  const history = useRequest((signal) => request({ points: POINTS }, signal))

  /** Asks for the history; what is heard meanwhile is added to it. */
  async function load(): Promise<void> {
    buffered = buffered ?? []
    const before = history.data.value
    await history.load()
    const answer = history.data.value
    if (history.loading.value) return // asked anew meanwhile
    if (answer === null || answer === before) return void (reloadTimer ??= setTimeout(reload, RETRIED_MS))
    rows.value = new CurveSeries(answer, task().total_epochs ?? 0)
    const heard: StreamEvent[] = buffered ?? []
    buffered = null
    heard.forEach(take)
  }

  function take(event: StreamEvent): void {
    if (buffered) return void buffered.push(event)
    const what = event.type === POLLED ? 'anew' : (rows.value?.take(event) ?? 'anew')
    if (what === 'anew') reloadTimer ??= setTimeout(reload, GATHERED_MS)
    else if (what === 'longer') redrawTimer ??= setTimeout(redraw, GATHERED_MS)
  }

  function reload(): void {
    reloadTimer = undefined
    void load()
  }

  function redraw(): void {
    redrawTimer = undefined
    triggerRef(rows)
  }

  const scaled = (one: Series): Series =>
    scale.value === 1 ? { ...one, x: [...one.x], y: [...one.y] } : { ...one, x: one.x.map((x) => x * scale.value), y: [...one.y] }
  const series = computed<Series[]>(() => rows.value?.series.map(scaled) ?? [])

  /** More points of a stretch, for series that have more than are here. */
  async function refine(names: string[], [from, to]: Range): Promise<Series[]> {
    const answer = await request({
      names: names.join(','), from: from / scale.value, to: to / scale.value, points: FINE_POINTS,
    })
    return seriesOf(answer).map(scaled)
  }

  const leave = taskEvents.on(TYPES, take)
  onScopeDispose(() => {
    leave()
    clearTimeout(reloadTimer)
    clearTimeout(redrawTimer)
  })
  watch(requestAxis, load, { immediate: true })
  return { series, refine, load, loaded: computed(() => rows.value !== null), error: history.error, loading: history.loading }
}
