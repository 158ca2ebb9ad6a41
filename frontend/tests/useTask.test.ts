import { flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { defineComponent, h } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'

import { useTask } from '../src/pages/taskDetail/useTask'

let requests: string[] = []
let streams: string[] = []

/** A browser's EventSource that only says where it was opened. */
class OpenedStream {
  constructor(url: string) {
    streams.push(url)
  }
  addEventListener(): void {}
  close(): void {}
}

beforeEach(() => {
  requests = []
  streams = []
  vi.stubGlobal('EventSource', OpenedStream)
  vi.stubGlobal('fetch', async (request: Request) => {
    requests.push(new URL(request.url).pathname)
    return Response.json({ task_id: 'TASK_1', status: 'RUNNING', last_event_id: '12-0' })
  })
})
afterEach(() => vi.unstubAllGlobals())

describe('a task', () => {
  it('listens from where its own answer stands, and asks for nothing else', async () => {
    const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/', component: { render: () => null } }] })
    const Page = defineComponent(() => {
      useTask('TASK_1')
      return () => h('p')
    })
    const page = mount(Page, { global: { plugins: [router] } })
    await flushPromises()
    expect(requests).toEqual(['/api/v1/tasks/TASK_1'])
    expect(streams).toEqual(['/api/v1/tasks/TASK_1/events?last_event_id=12-0'])
    page.unmount()
  })
})
