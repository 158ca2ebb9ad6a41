import { useI18n } from 'vue-i18n'

import { type Labels, countLabels } from '@/api/samples'
import { useFormat } from '@/composables/useFormat'

/** The labels drawn on an image, as its `alt` text: lines on a picture say nothing to those who do not see it. */
export function useAltText() {
  const { t } = useI18n()
  const { percent } = useFormat()

  function describe(labels: Labels): string {
    const parts = countLabels(labels).map(([label, n]) => `${n} × ${label}`)
    if (labels.label) {
      const sure = labels.confidence
      parts.unshift(sure === null || sure === undefined ? labels.label : `${labels.label} ${percent(sure * 100)}`)
    }
    if (parts.length === 0) return labels.has_mask ? t('images.mask') : t('images.noLabel')
    return parts.join(', ')
  }

  function altText(name: string, truth?: Labels | null, answer?: Labels | null): string {
    const parts = [name]
    if (truth) parts.push(`${t('images.truth')} ${describe(truth)}`)
    if (answer) parts.push(`${t('images.answer')} ${describe(answer)}`)
    return parts.join('; ')
  }

  return { describe, altText }
}
