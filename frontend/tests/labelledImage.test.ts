import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { mount } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { beforeAll, describe, expect, it } from 'vitest'
import { createI18n } from 'vue-i18n'

import LabelledImage from '../src/components/samples/LabelledImage.vue'
import SampleGrid from '../src/components/samples/SampleGrid.vue'
import en from '../src/i18n/en'
import { classColour, maskColour } from '../src/api/samples'

const css = readFileSync(join(__dirname, '../src/styles/tokens.css'), 'utf8')
const server = readFileSync(join(__dirname, '../../tandem/server/http/images.py'), 'utf8')
const i18n = createI18n({ legacy: false, locale: 'en', messages: { en } as never })
const shared = () => ({ plugins: [i18n, createPinia()] })

const TWO = {
  src: '/a.jpg',
  name: 'street.jpg',
  width: 400,
  height: 200,
  truth: { boxes: [{ label: 'helmet', box: [100, 50, 40, 20] }, { label: 'helmet', box: [0, 0, 9, 9] }] },
  answer: { boxes: [{ label: 'person', box: [200, 100, 40, 20], confidence: 0.93, outlines: [[[1, 2], [3, 4], [5, 6]]] }] },
}

beforeAll(() => {
  Object.assign(globalThis, { matchMedia: () => ({ matches: false, addEventListener: () => undefined }) })
})

describe('a labelled picture', () => {
  it('says in words what is drawn on it', () => {
    const alt = mount(LabelledImage, { props: TWO, global: shared() }).get('img').attributes('alt')
    expect(alt).toBe('street.jpg; True: 2 × helmet; Model: 1 × person')
  })

  it('draws in the pixels of the original, and writes the name where the box is', () => {
    const picture = mount(LabelledImage, { props: TWO, global: shared() })
    const truth = picture.get('.boxes.truth')
    expect(truth.get('svg').attributes('viewBox')).toBe('0 0 400 200')
    expect(truth.findAll('rect').map((one) => one.attributes('x'))).toEqual(['100', '100', '0', '0'])
    expect(truth.get('.name').attributes('style')).toContain('left: 25%; top: 25%')
    const answer = picture.get('.boxes.answer')
    expect(answer.findAll('polygon').at(-1)?.attributes('points')).toBe('1,2 3,4 5,6')
    expect(answer.get('.name').text()).toBe('person 93%')
  })

  it('says so when the file has gone', async () => {
    const picture = mount(LabelledImage, { props: TWO, global: shared() })
    await picture.get('img').trigger('error')
    expect(picture.find('img').exists()).toBe(false)
    expect(picture.get('[role=img]').text()).toContain('has gone')
  })

  it('lays a mask over it only where there is one', async () => {
    const props = { ...TWO, truth: { has_mask: true }, answer: null, truthMask: '/mask' }
    const picture = mount(LabelledImage, { props, global: shared() })
    expect(picture.get('img.over').attributes('src')).toBe('/mask')
    await picture.setProps({ truth: { has_mask: false } })
    expect(picture.find('img.over').exists()).toBe(false)
  })
})

describe('a grid', () => {
  const items = [0, 1].map((index) => ({ index, name: `${index}.jpg`, truth: { label: 'cat' } }))
  const urls = { image: (one: { index: number }, size: number) => `/p/${one.index}?size=${size}` }

  it('opens the one that is chosen, and goes on by the arrow keys', async () => {
    const grid = mount(SampleGrid, { props: { items, urls }, global: shared(), attachTo: document.body })
    await grid.findAll('button')[0]?.trigger('click')
    const dialog = () => document.querySelector('.el-dialog') as HTMLElement
    await expect.poll(() => dialog()?.querySelector('img')?.getAttribute('src')).toBe('/p/0?size=1280')
    dialog().dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }))
    await expect.poll(() => dialog().querySelector('img')?.getAttribute('src')).toBe('/p/1?size=1280')
    dialog().dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }))
    await expect.poll(() => dialog().textContent).toContain('2 of 2')
    grid.unmount()
  })

  it('shows texts as they are', () => {
    const texts = [{ index: 0, name: 'a.jsonl', text: 'A good film.', truth: { label: 'positive' } }]
    const grid = mount(SampleGrid, { props: { items: texts, urls }, global: shared() })
    expect(grid.find('img').exists()).toBe(false)
    expect(grid.text()).toContain('A good film.')
    expect(grid.text()).toContain('positive')
  })
})

describe('the colours of classes', () => {
  it('are those that the server paints masks with', () => {
    const listed = (server.split('PALETTE = (')[1] ?? '').split(')')[0] ?? ''
    const painted = [...listed.matchAll(/"([0-9a-f]{6})"/g)]
    const shown = [...css.matchAll(/--mask-\d+: #([0-9a-f]{6})/g)]
    expect(shown.map((one) => one[1])).toEqual(painted.map((one) => one[1]))
    expect([maskColour(0), maskColour(1), maskColour(19)]).toEqual(['transparent', 'var(--mask-0)', 'var(--mask-0)'])
  })

  it('stay with a class, whatever page it is on', () => {
    expect(classColour('b', ['a', 'b'])).toBe('var(--class-1)')
    expect(classColour('unknown')).toBe(classColour('unknown', ['a']))
  })

  it('bear white text', () => {
    const part = (hex: string, at: number) => {
      const value = parseInt(hex.slice(at, at + 2), 16) / 255
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
    }
    for (const [, hex = ''] of css.matchAll(/--class-\d+: #([0-9a-f]{6})/g)) {
      const light = 0.2126 * part(hex, 0) + 0.7152 * part(hex, 2) + 0.0722 * part(hex, 4)
      expect(1.05 / (light + 0.05), hex).toBeGreaterThanOrEqual(4.5)
    }
  })
})
