import { useI18n } from 'vue-i18n'

import type { Annotation } from '@/api/types'
import { useFormat } from '@/composables/useFormat'

const MOVING = new Set(['PENDING', 'QUEUED', 'RUNNING'])

/** Whether it will be elsewhere soon. */
export const isMoving = (annotation: { status: string }): boolean => MOVING.has(annotation.status)

/** How far it is, 0 to 100; null before the items were counted. */
export function shareOf(annotation: { processed: number; total: number | null }): number | null {
  return annotation.total ? (100 * annotation.processed) / annotation.total : null
}

/** Says of an annotation how many items are done, of how many, and how many failed. */
export function useCounts(): (annotation: Pick<Annotation, 'processed' | 'total' | 'failed'>) => string {
  const { t } = useI18n()
  const { number } = useFormat()
  return ({ processed, total, failed }) =>
    t('annotations.countsText', { n: number(processed), of: total === null ? '?' : number(total), failed: number(failed) })
}
