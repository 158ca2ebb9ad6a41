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
 * A run's curves as they grow. Steps are epochs times the steps of an epoch, so that what is said once an
 * epoch stands at that epoch's last step.
 */
export function useCurves(task: () => TaskDetail, taskEvents: TaskEvents, axis: Ref<Axis>) {
  const rows = shallowRef<CurveSeries | null>(null)
  let waiting: StreamEvent[] | null = null
  let again: ReturnType<typeof setTimeout> | undefined
  let show: ReturnType<typeof setTimeout> | undefined

  const stepsAnEpoch = computed(() => {
    const { total_steps, total_epochs } = task()
    return total_steps && total_epochs ? total_steps / total_epochs : null
  })
  /** What the service is asked by, and how much one of it is on the axis. */
  const asksBy = computed<Curves['x']>(() =>
    axis.value === 'time' ? 'time' : axis.value === 'epoch' || stepsAnEpoch.value ? 'epoch' : 'step',
  )
  const scale = computed(() => (axis.value === 'step' && asksBy.value === 'epoch' ? (stepsAnEpoch.value ?? 1) : 1))

  const question = (more: { names?: string; from?: number; to?: number; points: number }, signal?: AbortSignal) =>
    unwrap(
      api.GET('/api/v1/tasks/{task_id}/curves', {
        ...(signal ? { signal } : {}),
        params: { path: { task_id: task().task_id }, query: { x: asksBy.value, ...more } },
      }),
    )
  const asked = useRequest((signal) => question({ points: POINTS }, signal))

  /** Asks for the history; what is heard meanwhile is added to it. */
  async function load(): Promise<void> {
    waiting = waiting ?? []
    const before = asked.data.value
    await asked.load()
    const answer = asked.data.value
    if (asked.loading.value) return // asked anew meanwhile
    if (answer === null || answer === before) return void (again ??= setTimeout(reload, RETRIED_MS))
    rows.value = new CurveSeries(answer, task().total_epochs ?? 0)
    const heard: StreamEvent[] = waiting ?? []
    waiting = null
    heard.forEach(take)
  }

  function take(event: StreamEvent): void {
    if (waiting) return void waiting.push(event)
    const what = event.type === POLLED ? 'anew' : (rows.value?.take(event) ?? 'anew')
    if (what === 'anew') again ??= setTimeout(reload, GATHERED_MS)
    else if (what === 'longer') show ??= setTimeout(shown, GATHERED_MS)
  }

  function reload(): void {
    again = undefined
    void load()
  }

  function shown(): void {
    show = undefined
    triggerRef(rows)
  }

  const stretch = (one: Series): Series =>
    scale.value === 1 ? { ...one, x: [...one.x], y: [...one.y] } : { ...one, x: one.x.map((x) => x * scale.value), y: [...one.y] }
  const series = computed<Series[]>(() => rows.value?.series.map(stretch) ?? [])

  /** More points of a stretch, for series that have more than are here. */
  async function refine(names: string[], [from, to]: Range): Promise<Series[]> {
    const answer = await question({
      names: names.join(','), from: from / scale.value, to: to / scale.value, points: FINE_POINTS,
    })
    return seriesOf(answer).map(stretch)
  }

  const leave = taskEvents.on(TYPES, take)
  onScopeDispose(() => {
    leave()
    clearTimeout(again)
    clearTimeout(show)
  })
  watch(asksBy, load, { immediate: true })
  return { series, refine, load, there: computed(() => rows.value !== null), error: asked.error, loading: asked.loading }
}
