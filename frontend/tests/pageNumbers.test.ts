import { mount } from '@vue/test-utils'
import { describe, expect, it } from 'vitest'
import { createI18n } from 'vue-i18n'

import PageNumbers from '../src/components/list/PageNumbers.vue'
import common from '../src/i18n/en/common.json'

const i18n = createI18n({ legacy: false, locale: 'en', messages: { en: { common } } })
const at = (page: number, total: number) => mount(PageNumbers, { props: { page, total, size: 20 }, global: { plugins: [i18n] } })
const written = (page: number, total: number) => at(page, total).text()

describe('the pages of a list', () => {
  it('are the first, the last, and those about the one that is shown', () => {
    expect(written(1, 0)).toBe('‹1›')
    expect(written(1, 60)).toBe('‹123›')
    expect(written(1, 140)).toBe('‹1234567›')
    expect(written(1, 2000)).toBe('‹123456…100›')
    expect(written(50, 2000)).toBe('‹1…4849505152…100›')
    expect(written(100, 2000)).toBe('‹1…9596979899100›')
  })

  it('say which one stands, end at the ends, and are asked for', async () => {
    const pages = at(3, 60)
    expect(pages.get('[aria-current=page]').attributes('aria-label')).toBe('Page 3')
    expect(pages.get('[aria-label="Next page"]').attributes()).toHaveProperty('disabled')
    await pages.get('[aria-label="Previous page"]').trigger('click')
    await pages.get('[aria-label="Page 1"]').trigger('click')
    expect(pages.emitted('go')).toEqual([[2], [1]])
  })
})
