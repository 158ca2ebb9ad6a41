import { describe, expect, it } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'

import en from '../src/i18n/en'
import zh from '../src/i18n/zh'
import { pages } from '../src/pages'
import { NAV_GROUPS } from '../src/pages/page'
import { routesOf } from '../src/router'

type Texts = { [key: string]: string | Texts }

const text = (messages: object, key: string) =>
  key.split('.').reduce<unknown>((at, part) => (at as Texts | undefined)?.[part], messages)
const repeated = (values: string[]) => values.filter((one, place) => values.indexOf(one) !== place)

describe('the pages', () => {
  const files = Object.keys(import.meta.glob('../src/pages/*/*Page.vue'))
  const definitions = import.meta.glob<string>('../src/pages/*/*.page.ts', { eager: true, query: '?raw', import: 'default' })

  it('have a definition each', () => {
    const defined = Object.entries(definitions).map(([path, code]) => {
      const [, component = 'no component'] = /import\('\.\/(.+)'\)/.exec(code) ?? []
      return path.replace(/[^/]+$/, component)
    })
    expect(defined.sort()).toEqual(files.sort())
  })

  it('have a title, and a sentence for their shortcut, in both languages', () => {
    const keys = pages.flatMap((page) => [page.title, ...(page.shortcut ? [page.shortcut.about] : [])])
    for (const key of keys) {
      expect(text(en, key), key).toBeTypeOf('string')
      expect(text(zh, key), key).toBeTypeOf('string')
    }
  })

  it('do not take a name, a path, a shortcut or a place in the menu of another', () => {
    const places = pages.flatMap(({ nav }) => (nav ? [`${nav.group} ${nav.order}`] : []))
    expect(repeated(pages.map((page) => page.name))).toEqual([])
    expect(repeated(pages.flatMap((page) => [page.path, ...(page.formerPaths ?? [])]))).toEqual([])
    expect(repeated(pages.flatMap((page) => (page.shortcut ? [page.shortcut.keys] : [])))).toEqual([])
    expect(repeated(places)).toEqual([])
  })

  it('stand in the menu by their groups', () => {
    const groups = pages.flatMap(({ nav }) => (nav ? [nav.group] : []))
    expect([...new Set(groups)]).toEqual([...NAV_GROUPS])
  })
})

describe('the addresses of before', () => {
  const open = async (address: string) => {
    const routes = pages.flatMap((page) => routesOf({ ...page, component: async () => ({ render: () => null }) }))
    const router = createRouter({ history: createMemoryHistory(), routes })
    await router.push(address)
    return router.currentRoute.value
  }

  it('lead to the annotations', async () => {
    expect((await open('/labelling?page=2')).fullPath).toBe('/annotations?page=2')
    const one = await open('/labelling/INFER_1?label=cat')
    expect([one.name, one.fullPath]).toEqual(['annotation', '/annotations/INFER_1?label=cat'])
  })

  it('are not mixed up with each other', async () => {
    expect((await open('/tasks/new')).name).toBe('new-task')
    expect((await open('/tasks/TASK_1/curves')).params).toEqual({ id: 'TASK_1', tab: 'curves' })
    expect((await open('/datasets/a/b')).params).toEqual({ id: 'a/b' })
    expect((await open('/no/such/page')).name).toBe('not-found')
  })
})
