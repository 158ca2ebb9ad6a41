import { flushPromises, mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createI18n } from 'vue-i18n'

import en from '../src/i18n/en'
import EvaluateModel from '../src/pages/models/EvaluateModel.vue'

const i18n = createI18n({ legacy: false, locale: 'en', messages: { en } as never })
const RUNNING = { id: 'E2', dataset: 'pets', status: 'RUNNING', result: null, message: null }
const DONE = {
  id: 'E1', dataset: 'birds', status: 'DONE', message: null,
  result: {
    split: 'test', samples: 1500, notes: ['The model does not know these classes of the data set: owl.'],
    measured: { metrics: { accuracy: 0.9, ece: 0.0321, recall: 0.5 }, intervals: { accuracy: [0.88, 0.915] } },
  },
}
const FAILED = { id: 'E0', dataset: 'cars', status: 'FAILED', result: null, message: 'The data set has none of the classes.' }

let kept: object[] = []
let asked: unknown[] = []
let refusal: Response | null = null

async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  if (pathname === '/api/v1/datasets') return Response.json([{ id: 'pets' }, { id: 'birds' }])
  if (pathname !== '/api/v1/models/RUN_1/evaluations') return new Response(null, { status: 404 })
  if (request.method === 'GET') return Response.json({ items: kept })
  asked.push(await request.json())
  if (refusal) return refusal
  kept = [RUNNING, ...kept]
  return Response.json(RUNNING, { status: 202 })
}

async function shown() {
  const card = mount(EvaluateModel, { props: { id: 'RUN_1' }, global: { plugins: [i18n] } })
  await flushPromises()
  return card
}
type Card = Awaited<ReturnType<typeof shown>>
const choose = (card: Card, select: number, value: string) =>
  card.findAllComponents({ name: 'ElSelect' })[select]?.setValue(value)

beforeEach(() => {
  setActivePinia(createPinia())
  ;[kept, asked, refusal] = [[], [], null]
  vi.stubGlobal('fetch', answer)
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('measuring a model', () => {
  it('shows each measurement: figures with how sure they are, notes, and why one failed', async () => {
    kept = [DONE, FAILED]
    const [done, failed] = (await shown()).findAll('li')
    expect(done?.text()).toContain('1,500 samples, Test')
    const figures = done?.findAll('dt').map((one, place) => [one.text(), done.findAll('dd')[place]?.text()])
    expect(figures).toEqual([['Accuracy', '90.00% (88.00% – 91.50%)'], ['Calibration error (ECE)', '0.0321']])
    expect(done?.text()).toContain('does not know these classes of the data set: owl')
    expect(failed?.text()).toContain('The data set has none of the classes.')
    expect(failed?.find('dl').exists()).toBe(false)
  })

  it('is asked of the chosen data set and split, and looked at until it is done', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const card = await shown()
    const button = () => card.get('button[type=submit]')
    expect(button().attributes('disabled')).toBeDefined()
    await choose(card, 0, 'pets')
    await choose(card, 1, 'val')
    await card.get('form').trigger('submit')
    await flushPromises()
    expect(asked).toEqual([{ dataset: 'pets', split: 'val', type: '' }])
    expect(card.get('[role=status]').text()).toBe('Being measured')
    expect(button().attributes('disabled')).toBeDefined()
    kept = [DONE]
    await vi.advanceTimersByTimeAsync(10_000)
    await flushPromises()
    expect(card.find('[role=status]').exists()).toBe(false)
    expect(card.text()).toContain('1,500 samples')
    expect(button().attributes('disabled')).toBeUndefined()
    card.unmount()
  })

  it('leaves the split to the service where none is chosen, and keeps a refusal beside the form', async () => {
    const card = await shown()
    refusal = Response.json({ title: 'Refused', detail: 'There is no data set pets.', status: 404 }, { status: 404 })
    await choose(card, 0, 'pets')
    await card.get('form').trigger('submit')
    await flushPromises()
    expect(asked).toEqual([{ dataset: 'pets', split: null, type: '' }])
    expect(card.get('[role=alert]').text()).toContain('There is no data set pets.')
  })
})
