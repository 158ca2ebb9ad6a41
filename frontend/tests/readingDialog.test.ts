import { flushPromises, mount } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createI18n } from 'vue-i18n'

import * as datasets from '../src/api/datasets'
import type { Dataset } from '../src/api/types'
import en from '../src/i18n/en'
import ReadingDialog from '../src/pages/datasets/ReadingDialog.vue'

vi.mock('../src/api/datasets', () => ({ readAs: vi.fn(() => Promise.resolve({})) }))

const i18n = createI18n({ legacy: false, locale: 'en', messages: { en } as never })
const CLIPS = { id: 'clips', type: 'sequence', could_be: ['classification'] } as unknown as Dataset
const shown = () =>
  mount(ReadingDialog, {
    props: { dataset: CLIPS, modelValue: true },
    global: {
      plugins: [i18n, createPinia()],
      stubs: { 'el-dialog': { template: '<div><slot /><slot name="footer" /></div>' }, 'el-button': true },
    },
  })

beforeEach(() => vi.clearAllMocks())

describe('what a data set is read as', () => {
  it('offers how it is read now, what it could also be, and its look', () => {
    const dialog = shown()
    expect(dialog.findAll('label').map((one) => one.text())).toEqual([
      'Clips per class', 'A folder per class', 'By the look of the folder',
    ])
    expect(dialog.findAll('input').map((one) => (one.element as HTMLInputElement).checked)).toEqual([true, false, false])
  })

  it.each([[1, 'classification'], [2, null]])('keeps the choice, and says that it was made (%i)', async (row, type) => {
    const dialog = shown()
    await dialog.findAll('input').at(row)?.setValue()
    await dialog.get('form').trigger('submit')
    await flushPromises()
    expect(datasets.readAs).toHaveBeenCalledWith('clips', type)
    expect(dialog.emitted('chosen')).toHaveLength(1)
    expect(dialog.emitted('update:modelValue')).toEqual([[false]])
  })
})
