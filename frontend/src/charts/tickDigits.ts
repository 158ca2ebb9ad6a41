/** How finely a number has to be written. */
export interface Digits {
  /** Digits after the point. */
  fraction: number
  /** Digits from the first that is not 0. */
  significant: number
}

const LEAST_SIGNIFICANT = 3
// 0.1 is 0.09999999999999987 as the distance of two floats.
const SLACK = 1e-6

/** What tells neighbours among these numbers apart once they are multiplied by `factor`. */
export function digitsOf(numbers: (number | null)[], factor = 1): Digits {
  const sorted = numbers.filter((one) => one !== null).map((one) => one * factor).sort((a, b) => a - b)
  const gaps = sorted.slice(1).map((one, n) => one - (sorted[n] ?? one)).filter((gap) => gap > 0)
  if (gaps.length === 0) return { fraction: 0, significant: LEAST_SIGNIFICANT }
  const gap = digit(Math.min(...gaps))
  const most = digit(Math.max(...sorted.map(Math.abs)))
  return { fraction: Math.max(0, -gap), significant: Math.max(LEAST_SIGNIFICANT, most - gap + 1) }
}

/** The place of the first digit: 2 of 345, -1 of 0.3. */
const digit = (of: number): number => Math.floor(Math.log10(of) + SLACK)
