import 'element-plus/es/components/message/style/css'
import 'element-plus/es/components/message-box/style/css'

import { ElMessage, ElMessageBox } from 'element-plus'
import { useI18n } from 'vue-i18n'

import * as datasets from '@/api/datasets'
import { ApiError } from '@/api/errors'
import type { Dataset } from '@/api/types'
import { useFormat } from '@/composables/useFormat'

/**
 * Checks a data set again, and deletes one once a person has confirmed what goes with it. The table and the page of one
 * data set share these; a refusal is shown as a message, because the row it belongs to may be gone.
 */
export function useDatasetActions() {
  const { t } = useI18n()
  const { number } = useFormat()

  /** True when it was done; a refusal is shown in the server's sentence. */
  async function attempt(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem
      ElMessage({ type: 'error', message: problem.message || t('common.away'), showClose: true, duration: 10_000 })
      return false
    }
  }

  const check = (one: Dataset): Promise<boolean> => attempt(() => datasets.check(one.id))

  async function remove(one: Dataset): Promise<boolean> {
    const lost = one.samples ? t('datasets.losesSamples', { n: number(one.samples) }, one.samples) : t('datasets.losesAll')
    try {
      await ElMessageBox.confirm(t('datasets.deleteLoses', { lost, path: one.path }), t('datasets.deleteOne', { name: one.id }), {
        type: 'warning',
        confirmButtonText: t('common.delete'),
        confirmButtonClass: 'el-button--danger',
        cancelButtonText: t('common.cancel'),
        autofocus: false,
      })
    } catch {
      return false
    }
    return attempt(() => datasets.remove(one.id))
  }

  return { check, remove, attempt }
}
