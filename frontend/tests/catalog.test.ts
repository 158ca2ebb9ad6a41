import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { defaultsOf, kindOfLayout, layoutsOf, studentFamilyOf, writableLayouts } from '../src/api/catalog'
import { KINDS } from '../src/api/kinds'
import type { Catalog } from '../src/api/types'

/** What the service itself reads: so that a layout which changes there is heard of here. */
const catalog = JSON.parse(readFileSync(join(__dirname, '../../tandem/catalog.json'), 'utf8')) as Catalog

describe('the layouts of the catalog', () => {
  it('can hold the answers of every kind, what annotation tools read first', () => {
    for (const kind of KINDS) expect(writableLayouts(catalog, kind), kind).not.toEqual([])
    expect(writableLayouts(catalog, 'detection')[0]).toBe('labelme')
    expect(writableLayouts(catalog, 'detection')).toEqual(expect.arrayContaining(['coco', 'voc', 'yolo', 'labelstudio']))
    expect(writableLayouts(catalog, 'text')[0]).toBe('csv')
    expect(writableLayouts(catalog, null)).toEqual([])
  })

  it('tell what they are learnt for where they can tell', () => {
    const told = Object.fromEntries(layoutsOf(catalog).map(({ name }) => [name, kindOfLayout(catalog, name)]))
    expect(told).toMatchObject({
      yolo: 'detection', coco: 'detection', voc: 'detection', segmentation: 'segmentation', sequence: 'sequence', text: 'text',
      labelme: '', labelstudio: '', csv: '',
    })
    expect(kindOfLayout(catalog, 'unknown')).toBe('')
  })
})

describe('the students of the catalog', () => {
  it('are found by type, or by a size of theirs', () => {
    expect(studentFamilyOf(catalog, 'resnet', '')?.name).toBe('resnet')
    expect(studentFamilyOf(catalog, '', 'resnet18')?.name).toBe('resnet')
    expect(studentFamilyOf(catalog, '', 'unet-resnet34')?.name).toBe('unet')
    expect(studentFamilyOf(catalog, '', 'no such size')).toBeNull()
  })

  it('begin with the weights that are configured for their size', () => {
    const plain = studentFamilyOf(catalog, 'resnet', '')
    if (plain === null) throw new Error('no resnet')
    const resnet = { ...plain, configured_weights: { resnet50: 'torchvision' } }
    const start = { 'student.init': 'pretrained', 'student.path': 'torchvision' }
    expect(defaultsOf(resnet, 'resnet50')).toEqual({ ...resnet.defaults, ...start })
    expect(defaultsOf(resnet, 'resnet18')).toEqual(resnet.defaults)
    expect(defaultsOf(null, '')).toEqual({})
  })
})
