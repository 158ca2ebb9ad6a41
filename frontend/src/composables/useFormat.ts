import { computed } from 'vue'
import { useI18n } from 'vue-i18n'

import { useSettings } from '@/stores/settings'

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
]
const BYTES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte']

/**
 * Numbers, dates, sizes and durations as the reader's language writes them. Null is a dash: what was not measured is
 * never shown as 0.
 */
export function useFormat() {
  const settings = useSettings()
  const { t } = useI18n()
  const locale = computed(() => (settings.language === 'zh' ? 'zh-CN' : 'en-GB'))

  function number(value: number | null | undefined, digits = 4): string {
    if (value === null || value === undefined || Number.isNaN(value)) return '–'
    const small = value !== 0 && Math.abs(value) < 0.001
    return new Intl.NumberFormat(locale.value, {
      maximumSignificantDigits: Number.isInteger(value) ? 15 : digits,
      notation: small ? 'scientific' : 'standard',
    }).format(value)
  }

  /** Of a figure from 0 to 100. */
  function percent(value: number | null | undefined, digits = 1): string {
    if (value === null || value === undefined || Number.isNaN(value)) return '–'
    return new Intl.NumberFormat(locale.value, {
      style: 'percent',
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    }).format(value / 100)
  }

  function bytes(value: number | null | undefined): string {
    if (value === null || value === undefined) return '–'
    const step = value < 1 ? 0 : Math.min(BYTES.length - 1, Math.floor(Math.log10(value) / 3))
    return new Intl.NumberFormat(locale.value, {
      style: 'unit',
      unit: BYTES[step],
      unitDisplay: step === 0 ? 'long' : 'short',
      maximumSignificantDigits: 3,
    }).format(value / 1000 ** step)
  }

  const megabytes = (value: number | null | undefined): string =>
    bytes(value === null || value === undefined ? value : value * 1e6)

  /** 1.2 M, 304 M; Chinese counts in ten thousands. */
  function count(value: number | null | undefined): string {
    if (value === null || value === undefined) return '–'
    // British English would write 1.2m, which reads as metres.
    return new Intl.NumberFormat(settings.language === 'zh' ? 'zh-CN' : 'en-US', {
      notation: 'compact',
      maximumSignificantDigits: 3,
    }).format(value)
  }

  function time(at: string | number | null | undefined): string {
    if (at === null || at === undefined) return '–'
    return new Intl.DateTimeFormat(locale.value, {
      dateStyle: 'medium',
      timeStyle: 'medium',
    }).format(new Date(at))
  }

  function ago(at: string | null | undefined, now: number = Date.now()): string {
    if (!at) return '–'
    const seconds = (new Date(at).getTime() - now) / 1000
    const [unit, size] = STEPS.find(([, step]) => Math.abs(seconds) >= step) ?? ['second', 1]
    return new Intl.RelativeTimeFormat(locale.value, { numeric: 'auto' }).format(
      Math.round(seconds / size),
      unit,
    )
  }

  /** The two largest parts that are not nothing: 2 h 5 min. */
  function duration(seconds: number | null | undefined): string {
    if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return '–'
    if (seconds < 1 && seconds > 0) return t('units.milliseconds', { n: Math.round(seconds * 1000) })
    const whole = Math.round(seconds)
    const parts: [string, number][] = [
      ['days', Math.floor(whole / 86_400)],
      ['hours', Math.floor(whole / 3600) % 24],
      ['minutes', Math.floor(whole / 60) % 60],
      ['seconds', whole % 60],
    ]
    const first = parts.findIndex(([, n]) => n > 0)
    if (first < 0) return t('units.seconds', { n: 0 })
    return parts
      .slice(first, first + 2)
      .filter(([, n], place) => n > 0 || place === 0)
      .map(([unit, n]) => t(`units.${unit}`, { n }))
      .join(' ')
  }

  return { locale, number, percent, bytes, megabytes, count, time, ago, duration }
}
