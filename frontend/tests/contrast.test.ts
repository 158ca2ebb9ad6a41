import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

const css = readFileSync(join(__dirname, '../src/styles/tokens.css'), 'utf8')

/** The colours of one theme: the first block of `selector`. */
function colours(selector: string): Record<string, string> {
  const block = css.slice(css.indexOf(`${selector} {`)).split('}')[0] ?? ''
  return Object.fromEntries(
    [...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map((found) => [found[1], found[2]]),
  )
}

/** Relative luminance, WCAG 2.2. */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

const TONES = ['primary', 'good', 'warn', 'bad', 'busy']
const GROUNDS = ['ground', 'surface', 'raised']

describe.each([':root', 'html.dark'])('%s', (selector) => {
  const theme = colours(selector)
  const of = (name: string) => theme[name] ?? expect.fail(`no colour ${name}`)

  it.each(['text', 'text-soft', ...TONES])('%s can be read on every ground', (name) => {
    for (const ground of GROUNDS) {
      expect(contrast(of(name), of(ground)), ground).toBeGreaterThanOrEqual(4.5)
    }
  })

  it.each(TONES)('%s can be read on its own soft ground, and so can text', (name) => {
    expect(contrast(of(name), of(`${name}-soft` in theme ? `${name}-soft` : 'surface'))).toBeGreaterThanOrEqual(4.5)
    expect(contrast(of('text'), of(`${name}-soft`))).toBeGreaterThanOrEqual(4.5)
  })

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('line %i of a chart can be seen on a card', (n) => {
    expect(contrast(of(`curve-${n}`), of('surface'))).toBeGreaterThanOrEqual(3)
  })

  it('the words of a full button, the focus and the edges of fields can be seen', () => {
    expect(contrast(of('surface'), of('primary'))).toBeGreaterThanOrEqual(4.5)
    expect(contrast(of('surface'), of('bad'))).toBeGreaterThanOrEqual(4.5)
    expect(contrast(of('focus'), of('ground'))).toBeGreaterThanOrEqual(3)
    expect(contrast(of('line-strong'), of('surface'))).toBeGreaterThanOrEqual(3)
  })
})
