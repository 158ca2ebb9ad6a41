import { useI18n } from 'vue-i18n'

import { useFormat } from '@/composables/useFormat'

import { digitsOf, type Digits } from './tickDigits'
import type { Axis, Unit } from './lines'

const HOUR = 3600

/**
 * Writes a chart's values, ticks and places. An axis is written as a whole: how many digits tell two neighbours
 * apart is known only with all of its ticks at hand.
 */
export function useChartFormat() {
  const { t } = useI18n()
  const { number, percent, megabytes, duration, locale } = useFormat()

  function value(of: number | null, unit: Unit, digits = 4): string {
    if (unit === 'percent') return percent(of)
    if (unit === 'share') return percent(of === null ? null : of * 100)
    if (unit === 'megabytes') return megabytes(of)
    if (unit === 'seconds') return duration(of)
    return number(of, digits)
  }

  /** On an axis, all of its ticks: as short as they can be told apart. */
  function ticks(at: (number | null)[], unit: Unit): string[] {
    const places = digitsOf(at, unit === 'share' ? 100 : 1)
    // 1.2 s above 0.8 s, not 1 s above 800 ms.
    const small = unit === 'seconds' && places.fraction > 0 && at.some((one) => one !== null && one >= 1)
    return at.map((one) => {
      if (one === null) return ''
      return small ? t('units.seconds', { n: number(one, places.significant) }) : tick(one, unit, places)
    })
  }

  function tick(of: number, unit: Unit, { fraction, significant }: Digits): string {
    if (unit === 'share') return percent(of * 100, fraction)
    if (unit === 'percent') return percent(of, fraction)
    if (unit === 'number' && Math.abs(of) >= 10_000) {
      return new Intl.NumberFormat(locale.value, { notation: 'compact', maximumSignificantDigits: significant }).format(of)
    }
    return value(of, unit, significant)
  }

  function clock(seconds: number, long: boolean): string {
    return new Intl.DateTimeFormat(locale.value, {
      ...(long ? { month: 'short', day: 'numeric' } : {}),
      hour: '2-digit', minute: '2-digit', second: '2-digit',
    }).format(new Date(seconds * 1000))
  }

  /** A place on the x axis; `width` is how much of it is shown. */
  function place(x: number, axis: Axis, width: number): string {
    if (axis === 'time') return clock(x, width > 12 * HOUR)
    if (axis === 'elapsed') return duration(Math.round(x))
    return number(x, 4)
  }

  const at = (x: number, axis: Axis): string =>
    t(`curves.at.${axis}`, { x: axis === 'time' ? clock(x, true) : axis === 'step' ? number(Math.round(x)) : place(x, axis, 0) })

  return { value, ticks, place, at }
}
