import { flushPromises, mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createI18n } from 'vue-i18n'

import type { TaskDetail } from '../src/api/types'
import en from '../src/i18n/en'
import ReportTab from '../src/pages/taskDetail/tabs/ReportTab.vue'

const i18n = createI18n({ legacy: false, locale: 'en', messages: { en } as never })
const measured = (accuracy: number, ends?: [number, number]) => ({
  metrics: { accuracy, ece: 0.04 }, intervals: ends ? { accuracy: ends } : {},
})
const report = (test: { student?: object; baseline?: object }, notes: string[] = []) => ({
  student: { measured: measured(0.9, [0.8, 0.95]), test: test.student ?? null, epochs: 2, best_epoch: 1 },
  baseline: { measured: measured(0.8), test: test.baseline ?? null, only_student_right: 3, only_baseline_right: 1 },
  teacher: { measured: measured(0.99), knowledge: 'probe', forwards: 9 },
  data: { val_dataset: 'pets', train_images: 8, labelled_images: 8, val_images: 4, test_images: test.student ? 1500 : 0, notes },
  device: 'cpu',
})

async function shown(answer: object) {
  vi.stubGlobal('fetch', async () => Response.json(answer))
  const tab = mount(ReportTab, {
    props: { task: { task_id: 'T', status: 'COMPLETED' } as unknown as TaskDetail }, global: { plugins: [i18n] },
  })
  await flushPromises()
  return tab
}

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => vi.unstubAllGlobals())

describe('the report of a run', () => {
  it('has the test split before val, student beside baseline, with how sure the figures are', async () => {
    const tab = await shown(report({ student: measured(0.85, [0.83, 0.868]), baseline: measured(0.7) }))
    expect(tab.findAll('h2').map((one) => one.text()).slice(0, 2)).toEqual([
      'On 1,500 test samples, which nothing was chosen on', 'Measured on pets',
    ])
    const [test, val] = tab.findAll('table')
    expect(test?.findAll('thead th').map((one) => one.text()).slice(1)).toEqual(['Student', 'Baseline'])
    expect(test?.findAll('tbody tr').map((one) => one.text())).toEqual(['Accuracy85.0% (83.0% – 86.8%)70.0%', expect.stringContaining('0.04')])
    expect(val?.find('tbody tr').text()).toContain('90.0% (80.0% – 95.0%)')
  })

  it('has the student alone where no baseline was measured on it', async () => {
    const tab = await shown(report({ student: measured(0.85) }))
    expect(tab.find('table').findAll('thead th')).toHaveLength(2)
  })

  it('says that its figures are a little kind where there is no test split', async () => {
    const tab = await shown(report({}, ['These figures are a little kind.']))
    expect(tab.text()).not.toContain('which nothing was chosen on')
    expect(tab.findAll('table')).toHaveLength(1)
    expect(tab.text()).toContain('These figures are a little kind.')
  })
})
