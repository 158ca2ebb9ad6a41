import { flushPromises, mount } from '@vue/test-utils'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { defineComponent, h } from 'vue'
import { type Router, createMemoryHistory, createRouter } from 'vue-router'

import { ApiError } from '../src/api/errors'
import { type Page, type Query, useList } from '../src/composables/useList'

type List = ReturnType<typeof useList<string>>
interface PendingRequest {
  query: Query
  signal: AbortSignal
  answer: (page: Page<string>) => void
  fail: (problem: unknown) => void
}

let asked: PendingRequest[] = []
let router: Router

/** A page with a list whose server is the test. */
async function open(address: string): Promise<{ list: List; leave: () => void }> {
  asked = []
  let list: List | undefined
  const Listed = defineComponent({
    setup() {
      list = useList<string>({ status: '', sort: '-age' }, (query, signal) =>
        new Promise((answer, fail) => asked.push({ query, signal, answer, fail })),
      )
      return () => h('p')
    },
  })
  router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/list', component: Listed },
      { path: '/other', component: { render: () => h('p') } },
    ],
  })
  await router.push(address)
  const page = mount({ template: '<router-view />' }, { global: { plugins: [router] } })
  await flushPromises()
  if (!list) throw new Error('The list was not opened.')
  return { list, leave: () => page.unmount() }
}

const newest = (): PendingRequest => asked.at(-1) as PendingRequest

describe('a list in the address', () => {
  beforeEach(() => vi.restoreAllMocks())

  it('asks for what the address says, and for the defaults of the rest', async () => {
    await open('/list?status=FAILED&page=3')
    expect(asked).toHaveLength(1)
    expect(newest().query).toEqual({ page: '3', page_size: '20', status: 'FAILED', sort: '-age' })
  })

  it('writes what is chosen into the address, and leaves defaults and others alone', async () => {
    const { list } = await open('/list?tab=mine')
    await list.change({ status: 'RUNNING', page_size: '20' })
    expect(router.currentRoute.value.query).toEqual({ tab: 'mine', status: 'RUNNING' })
    expect(newest().query.status).toBe('RUNNING')
    await list.change({ status: '' })
    expect(router.currentRoute.value.query).toEqual({ tab: 'mine' })
  })

  it('begins at the first page again when anything but the page is changed', async () => {
    const { list } = await open('/list?page=4')
    await list.change({ sort: 'name' })
    expect(newest().query).toMatchObject({ page: '1', sort: 'name' })
    await list.change({ page: '2' })
    expect(newest().query).toMatchObject({ page: '2', sort: 'name' })
  })

  it('follows the address when one goes back', async () => {
    const { list } = await open('/list?status=FAILED')
    await router.push('/list?status=RUNNING')
    await router.push('/list')
    expect(list.query.status).toBe('')
    expect(newest().query.status).toBe('')
    expect(list.filtered.value).toBe(false)
  })

  it('asks nothing more when another page is opened', async () => {
    const { leave } = await open('/list')
    const before = asked.length
    await router.push('/other?status=FAILED')
    await flushPromises()
    expect(asked).toHaveLength(before)
    leave()
  })
})

describe('the answers of a list', () => {
  it('shows a page and how many there are', async () => {
    const { list } = await open('/list')
    expect(list.loading.value).toBe(true)
    expect(list.empty.value).toBe(false)
    newest().answer({ items: ['a', 'b'], total: 7 })
    await flushPromises()
    expect(list.items.value).toEqual(['a', 'b'])
    expect(list.total.value).toBe(7)
    expect(list.loading.value).toBe(false)
  })

  it('drops an answer that comes after a later question', async () => {
    const { list } = await open('/list')
    const early = newest()
    await list.change({ status: 'FAILED' })
    newest().answer({ items: ['new'], total: 1 })
    await flushPromises()
    early.answer({ items: ['old'], total: 9 })
    await flushPromises()
    expect(early.signal.aborted).toBe(true)
    expect(list.items.value).toEqual(['new'])
    expect(list.total.value).toBe(1)
  })

  it('keeps what is shown when a later question fails, and mends it by asking again', async () => {
    const { list } = await open('/list')
    newest().answer({ items: ['a'], total: 1 })
    await flushPromises()
    void list.load()
    newest().fail(new ApiError('The data base is busy.', 503))
    await flushPromises()
    expect(list.error.value?.message).toBe('The data base is busy.')
    expect(list.items.value).toEqual(['a'])
    expect(list.loading.value).toBe(false)
    void list.load()
    newest().answer({ items: ['b'], total: 1 })
    await flushPromises()
    expect(list.error.value).toBeNull()
    expect(list.items.value).toEqual(['b'])
  })

  it('knows an empty list from one that has not come', async () => {
    const { list } = await open('/list')
    newest().fail(new ApiError('', 0))
    await flushPromises()
    expect(list.empty.value).toBe(false)
    void list.load()
    newest().answer({ items: [], total: 0 })
    await flushPromises()
    expect(list.empty.value).toBe(true)
  })
})
