import { api, unwrap } from '@/api/client'
import { useRequest } from '@/composables/useRequest'

/** What a student got per class, as the report keeps it. */
export interface PerClass {
  class: string
  support?: number
  /** Null: the class has no example to validate on. */
  [figure: string]: string | number | null | undefined
}

interface Details {
  per_class?: PerClass[]
  confusion_matrix?: number[][]
}

/** The run's own report. A 404 says that there is none yet, and stays in `error`: the tab tells it from a failure. */
export function useReport(id: () => string) {
  return useRequest((signal) =>
    unwrap(api.GET('/api/v1/tasks/{task_id}/report', { signal, params: { path: { task_id: id() } } })),
  )
}

export const detailsOf = (measured: { details?: unknown } | null | undefined): Details =>
  (measured?.details ?? {}) as Details
