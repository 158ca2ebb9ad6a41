
const MOVING = new Set(['PENDING', 'QUEUED', 'RUNNING'])

/** Whether it will be elsewhere soon. */
export const isMoving = (annotation: { status: string }): boolean => MOVING.has(annotation.status)

/** How far it is, 0 to 100; null before the items were counted. */
export function shareOf(annotation: { processed: number; total: number | null }): number | null {
  return annotation.total ? (100 * annotation.processed) / annotation.total : null
}
