import { describe, expect, it } from 'vitest'

import { EVENT_TYPES } from '../src/api/events'
import en from '../src/i18n/en'
import zh from '../src/i18n/zh'

type Texts = { [key: string]: string | Texts }

function flat(texts: Texts, before = ''): Record<string, string> {
  return Object.fromEntries(
    Object.entries(texts).flatMap(([key, value]) =>
      typeof value === 'string' ? [[before + key, value]] : Object.entries(flat(value, `${before}${key}.`)),
    ),
  )
}

const english = flat(en as Texts)
const chinese = flat(zh as Texts)
const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort()

describe('the two languages', () => {
  it('say the same things', () => {
    expect(Object.keys(chinese).sort()).toEqual(Object.keys(english).sort())
  })

  it('fill in the same figures', () => {
    for (const [key, text] of Object.entries(english)) {
      expect([...new Set(names(chinese[key] ?? ''))], key).toEqual([...new Set(names(text))])
    }
  })

  it('leave no sentence untranslated', () => {
    const sentences = Object.keys(english).filter((key) => /[a-z]{2,} [a-z]{2,}/i.test(english[key] ?? ''))
    expect(sentences.filter((key) => english[key] === chinese[key])).toEqual([])
  })
})

describe('the pages', () => {
  const sources = import.meta.glob<string>('../src/**/*.{vue,ts}', {
    eager: true,
    query: '?raw',
    import: 'default',
  })
  const code = Object.entries(sources).filter(([path]) => !path.includes('/i18n/') && !path.includes('schema.d'))

  it('use messages that there are', () => {
    const missing = code.flatMap(([path, text]) =>
      [...text.matchAll(/\bt\(\s*'([\w.-]+)'/g)]
        .map((found) => found[1] ?? '')
        .filter((key) => !(key in english))
        .map((key) => `${path}: ${key}`),
    )
    expect(missing).toEqual([])
  })

  it('use groups of messages that there are', () => {
    const keys = Object.keys(english)
    const missing = code.flatMap(([path, text]) =>
      [...text.matchAll(/\bte?\(\s*`([\w.-]+\.)\$\{/g)]
        .map((found) => found[1] ?? '')
        .filter((group) => !keys.some((key) => key.startsWith(group)))
        .map((group) => `${path}: ${group}`),
    )
    expect(missing).toEqual([])
  })

  it('name every event that the list of a task shows', () => {
    const curves = ['metric', 'heartbeat']
    const keys = EVENT_TYPES.filter((type) => !curves.includes(type)).map((type) => `taskDetail.event.types.${type}`)
    expect(keys.filter((key) => !(key in english))).toEqual([])
  })

  it('hold no Chinese of their own', () => {
    expect(code.filter(([, text]) => /[\u4e00-\u9fff]/.test(text)).map(([path]) => path)).toEqual([])
  })
})
