import { mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'
import { createI18n } from 'vue-i18n'

import samples from '../src/i18n/en/samples.json'
import ConfusionMatrix from '../src/pages/taskDetail/ConfusionMatrix.vue'

const i18n = createI18n({ legacy: false, locale: 'en', messages: { en: { samples } } })
const shown = (props: { matrix: number[][]; classes: string[]; kind: string; open: [number, number] | null }) =>
  mount(ConfusionMatrix, { props, global: { plugins: [i18n], stubs: { 'el-button': true } } })

beforeEach(() => setActivePinia(createPinia()))

describe('the confusion matrix', () => {
  it('opens the cell that is pressed, and none where nothing was counted', async () => {
    const matrix = shown({ matrix: [[3, 1], [0, 2]], classes: ['cat', 'dog'], kind: 'classification', open: [0, 1] })
    expect(matrix.findAll('button').map((one) => one.text())).toEqual(['3', '1', '2'])
    await matrix.get('[aria-label="1 of cat answered as dog"]').trigger('click')
    expect(matrix.emitted('open')).toEqual([[0, 1]])
    expect(matrix.findAll('button.on').map((one) => one.text())).toEqual(['1'])
    expect(matrix.text()).not.toContain('(nothing)')
  })

  it('has a place for nothing where boxes are counted', async () => {
    const matrix = shown({ matrix: [[3, 0, 4], [0, 2, 0], [5, 0, 0]], classes: ['cat', 'nothing'], kind: 'detection', open: null })
    expect(matrix.findAll('thead th').map((one) => one.text()).slice(1)).toEqual(['cat', 'nothing', '(nothing)'])
    await matrix.get('[aria-label="4 of cat answered as (nothing)"]').trigger('click')
    await matrix.get('[aria-label="5 of (nothing) answered as cat"]').trigger('click')
    expect(matrix.emitted('open')).toEqual([[0, 2], [2, 0]])
  })

  it('shows of many classes the most confused first', async () => {
    const many = Array.from({ length: 30 }, (_, row) => Array.from({ length: 30 }, (_, column) => (row === 29 && column === 28 ? 9 : 0)))
    const matrix = shown({ matrix: many, classes: many.map((_, place) => `c${place}`), kind: 'classification', open: null })
    expect(matrix.findAll('tbody tr')).toHaveLength(24)
    expect(matrix.text()).toContain('c29')
  })
})
