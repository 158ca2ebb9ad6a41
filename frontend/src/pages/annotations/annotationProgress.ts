import type { Schemas } from '@/api/types'

export type Job = Schemas['AnnotationShown']

const MOVING = new Set(['PENDING', 'QUEUED', 'RUNNING'])

/** Whether it will be elsewhere soon. */
export const isMoving = (job: { status: string }): boolean => MOVING.has(job.status)

/** How far it is, 0 to 100; null before the items were counted. */
export function shareOf(job: { processed: number; total: number | null }): number | null {
  return job.total ? (100 * job.processed) / job.total : null
}
