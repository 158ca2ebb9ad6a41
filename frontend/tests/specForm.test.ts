import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { mount } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Ref, computed, defineComponent, h, ref } from 'vue'
import { createI18n } from 'vue-i18n'

import type { FieldProblem } from '../src/api/errors'
import KnobSection from '../src/components/form/KnobSection.vue'
import { jsonErrorAt } from '../src/form/jsonError'
import { type Schema, sections, trimmed } from '../src/form/knobs'
import type { Tree } from '../src/form/specTree'
import { useSpecForm } from '../src/form/useSpecForm'
import en from '../src/i18n/en'
import SpecJsonEditor from '../src/pages/newTask/SpecJsonEditor.vue'

/** One section with each sort of schema that pydantic writes. */
const SCHEMA: Schema = {
  $defs: {
    Optim: {
      type: 'object',
      title: 'OptimSpec',
      properties: {
        epochs: { type: 'integer', title: 'Epochs', default: 100, minimum: 1, maximum: 1000, unit: 'epochs', level: 'basic', description: 'Passes.' },
        rate: { type: 'number', title: 'Rate', default: 0.0001, exclusiveMinimum: 0, level: 'basic' },
        optimizer: { enum: ['adamw', 'sgd', 'new'], type: 'string', title: 'Optimizer', default: 'adamw', level: 'basic', choices: { adamw: 'AdamW', sgd: 'Gradient descent' } },
        clip: { type: 'boolean', title: 'Clip', default: true, level: 'basic' },
        workers: { anyOf: [{ type: 'integer', minimum: 0, maximum: 64 }, { type: 'null' }], title: 'Workers', default: null, level: 'basic' },
        targets: { type: 'array', items: { type: 'string' }, title: 'Targets', level: 'basic' },
        layers: { type: 'array', items: { type: 'integer' }, title: 'Layers', level: 'basic' },
        devices: { anyOf: [{ enum: ['auto', 'cpu'], type: 'string' }, { type: 'array', items: { type: 'integer' } }], title: 'Devices', default: 'auto', level: 'basic' },
        momentum: { type: 'number', title: 'Momentum', default: 0.9, level: 'advanced' },
      },
    },
  },
  properties: { optim: { $ref: '#/$defs/Optim', title: 'Training', default: {} } },
}
const DEFAULTS = { 'optim.optimizer': 'sgd' }
const i18n = createI18n({ legacy: false, locale: 'en', messages: { en } as never })
const shared = () => ({ plugins: [i18n, createPinia()] })

beforeAll(() => {
  Object.assign(globalThis, { matchMedia: () => ({ matches: false, addEventListener: () => undefined }) })
})

function drawn(spec: Ref<Tree>, problems: Ref<FieldProblem[]> = ref([]), advanced = ref(false)) {
  const form = useSpecForm(spec, computed(() => DEFAULTS), problems)
  const [, section] = sections(SCHEMA)
  if (!section) throw new Error('no section')
  const Whole = defineComponent(() => () => h(KnobSection, { section, form, advanced: advanced.value }))
  const page = mount(Whole, { global: shared() })
  const knob = (name: string) => page.get(`[data-path="optim.${name}"]`)
  const field = (name: string) => knob(name).get('input, select')
  const holds = (name: string) => (field(name).element as HTMLInputElement).value
  return { page, knob, field, holds }
}

describe('a form from a schema', () => {
  it('draws each sort with its title, unit, bounds and the default of this student', () => {
    const { knob, field, holds, page } = drawn(ref({}))
    expect(page.get('h2').text()).toBe('Training')
    expect(knob('epochs').text()).toContain('Epochs')
    expect(knob('epochs').text()).toContain('epochs')
    expect(knob('epochs').text()).toContain('Passes. 1 to 1000.')
    expect(knob('rate').text()).toContain('More than 0.')
    expect(knob('workers').text()).toContain('0 to 64.')
    expect(['epochs', 'rate', 'workers', 'targets', 'devices'].map(holds)).toEqual(['100', '0.0001', '', '', 'auto'])
    expect(field('optimizer').findAll('option').map((one) => one.text())).toEqual(['AdamW', 'Gradient descent (sgd)', 'new'])
    expect(holds('optimizer')).toBe('sgd')
    expect(holds('optimizer')).toBe('sgd') // not the schema's adamw
    expect((field('clip').element as HTMLInputElement).checked).toBe(true)
    expect(knob('epochs').get('label').attributes('for')).toBe(field('epochs').attributes('id'))
  })

  it('puts what is typed into the spec as what it is', async () => {
    const spec = ref<Tree>({})
    const { field } = drawn(spec)
    await field('epochs').setValue('20')
    await field('rate').setValue('3e-4')
    await field('optimizer').setValue('adamw')
    await field('clip').setValue(false)
    await field('workers').setValue('2')
    await field('targets').setValue('q_proj, v_proj')
    await field('layers').setValue('1 2')
    await field('devices').setValue('[0, 1]')
    expect(spec.value).toEqual({
      optim: { epochs: 20, rate: 3e-4, optimizer: 'adamw', clip: false, workers: 2, targets: ['q_proj', 'v_proj'], layers: [1, 2], devices: [0, 1] },
    })
    await field('workers').setValue('')
    expect((spec.value.optim as Tree).workers).toBeUndefined()
  })

  it('shows a list of GPUs as it is written', () => {
    expect(drawn(ref({ optim: { devices: [0, 1], layers: [3, 4] } })).holds('devices')).toBe('[0,1]')
  })

  it('marks what was changed, and takes it back', async () => {
    const spec = ref<Tree>({ optim: { epochs: 20 } })
    const { knob, holds, page } = drawn(spec)
    expect(page.get('h2').text()).toContain('1 changed')
    expect(knob('rate').text()).not.toContain('Changed')
    expect(knob('epochs').text()).toContain('Changed')
    await knob('epochs').get('button').trigger('click')
    expect(spec.value).toEqual({})
    expect(holds('epochs')).toBe('100')
    expect(knob('epochs').text()).not.toContain('Changed')
  })

  it('does not say what this student begins with anyway', async () => {
    const spec = ref<Tree>({ optim: { optimizer: 'adamw' } })
    await drawn(spec).field('optimizer').setValue('sgd')
    expect(spec.value).toEqual({})
  })

  it('says at the field what cannot be read, and keeps the last value', async () => {
    const spec = ref<Tree>({})
    const { field, knob } = drawn(spec)
    await field('epochs').setValue('12')
    await field('epochs').setValue('12x')
    expect(knob('epochs').get('[role=alert]').text()).toBe('This is no number.')
    expect(field('epochs').attributes('aria-invalid')).toBe('true')
    expect(spec.value).toEqual({ optim: { epochs: 12 } })
  })

  it("shows the service's problem at its field, even at one that is hidden", async () => {
    const problems = ref<FieldProblem[]>([])
    const { page, knob, field } = drawn(ref({}), problems)
    expect(page.find('[data-path="optim.momentum"]').exists()).toBe(false)
    problems.value = [
      { field: 'spec.optim.epochs', problem: 'It must be at least 1.', fix: 'Give 1 or more.' },
      { field: 'optim.momentum', problem: 'It must be below 1.' },
    ]
    await page.vm.$nextTick()
    expect(knob('epochs').get('[role=alert]').text()).toBe('It must be at least 1. Give 1 or more.')
    expect(field('epochs').attributes('aria-describedby')).toContain(knob('epochs').get('[role=alert]').attributes('id'))
    expect(knob('momentum').text()).toContain('It must be below 1.')
    expect(knob('rate').find('[role=alert]').exists()).toBe(false)
  })

  it('shows the rest when it is asked for', async () => {
    const advanced = ref(false)
    const { page } = drawn(ref({}), ref([]), advanced)
    advanced.value = true
    await page.vm.$nextTick()
    expect(page.find('[data-path="optim.momentum"]').exists()).toBe(true)
  })
})

describe('the raw JSON', () => {
  function both(begun: Tree) {
    const spec = ref<Tree>(begun)
    const Whole = defineComponent(() => () =>
      h(SpecJsonEditor, { modelValue: spec.value, 'onUpdate:modelValue': (next: Tree) => (spec.value = next) }),
    )
    const page = mount(Whole, { global: { ...shared(), stubs: { ElButton: true } } })
    return { spec, page, area: page.get('textarea') }
  }

  it('goes into the form, and follows it', async () => {
    const { spec, area, page } = both({ optim: { epochs: 20 } })
    expect(JSON.parse((area.element as HTMLTextAreaElement).value)).toEqual({ optim: { epochs: 20 } })
    await area.setValue('{"optim": {"epochs": 7}}')
    expect(spec.value).toEqual({ optim: { epochs: 7 } })
    expect((area.element as HTMLTextAreaElement).value).toBe('{"optim": {"epochs": 7}}') // as it was typed
    spec.value = { optim: { epochs: 8 } }
    await page.vm.$nextTick()
    expect(JSON.parse((area.element as HTMLTextAreaElement).value)).toEqual({ optim: { epochs: 8 } })
  })

  it('says where it is wrong, and changes nothing until it is right', async () => {
    const { spec, area, page } = both({ optim: { epochs: 20 } })
    await area.setValue('{\n  "optim": {"epochs": x}\n}')
    expect(page.get('[role=alert]').text()).toContain('line 2, column 23')
    expect(area.attributes('aria-invalid')).toBe('true')
    expect(spec.value).toEqual({ optim: { epochs: 20 } })
    await area.setValue('[1]')
    expect(page.get('[role=alert]').text()).toContain('an object is wanted')
    await area.setValue('{}')
    expect(page.get('[role=alert]').text()).toBe('')
    expect(spec.value).toEqual({})
  })
})

describe('the place where JSON breaks off', () => {
  it.each([
    ['{"a": x}', 1, 7],
    ['{"a": 1,}', 1, 9],
    ['{"a": 1\n "b": 2}', 2, 2],
    ['{"a": [1, 2', 1, 12],
    ["{'a': 1}", 1, 2],
    ['{"a": 01}', 1, 8],
    ['{} {}', 1, 4],
    ['', 1, 1],
  ])('%s', (text, line, column) => {
    expect(() => JSON.parse(text)).toThrow(SyntaxError)
    expect(jsonErrorAt(text)).toEqual({ line, column })
  })

  it('is none where it is right', () => {
    expect(jsonErrorAt(' {"a": [1.5e-3, -0, "\\u00e9\\"", null, {}], "b": []}\n')).toBeNull()
  })
})

describe('the schema of the service', () => {
  const api = JSON.parse(readFileSync(join(__dirname, '../../tandem/catalog.json'), 'utf8')) as { run_schema: Schema }
  const knobs = sections(api.run_schema).flatMap((section) => section.knobs)

  it('has a field for each knob', () => {
    expect(knobs.map((one) => one.path)).toEqual(expect.arrayContaining(['optim.epochs', 'teacher.prompt', 'lora.rank', 'yolo.mosaic', 'run.devices', 'cache.grid']))
    expect(knobs.filter((one) => one.input === 'json').map((one) => one.path).sort()).toEqual(['loss.class_weights', 'loss.options', 'loss.temperature', 'run.devices'])
  })

  it('leaves of a copied task what differs', () => {
    const whole = { kind: null, data: { dataset: 'pets', val_ratio: 0.15 }, optim: { epochs: 10, batch_size: 8, momentum: 0.9 }, loss: { options: {}, intermediate_layers: [] } }
    expect(trimmed(whole, api.run_schema, { 'optim.epochs': 10 })).toEqual({ data: { dataset: 'pets' }, optim: { batch_size: 8 } })
  })
})
