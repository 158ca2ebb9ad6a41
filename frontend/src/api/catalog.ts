import type { Catalog } from './types'

// The OpenAPI document leaves the catalog's entries open, as plug-ins add to them: what the console
// reads of them stands here and nowhere else.

/** A family of students as the catalog lists it. */
export interface Student {
  name: string
  about: string
  kinds: string[]
  /** Millions of parameters by size. */
  sizes: Record<string, number>
  /** Whether there are more sizes than are listed, each beginning with the family's name. */
  open_sizes?: boolean
  /** What this family begins with, by dotted field. */
  defaults: Record<string, unknown>
  /** By size: the weights that it starts from where a run does not say. */
  configured_weights?: Record<string, string>
  licence: string
  needs_extra?: string
  /** While it trains, roughly, by size. */
  memory_megabytes?: Record<string, number>
}

/** A family of teachers as the catalog lists it. */
export interface TeacherFamily {
  name: string
  about: string
  licence: string
  models?: string[]
}

/** A data layout as the catalog lists it. */
export interface Layout {
  name: string
  about: string
  /** What a dataset that lies so may be learnt for. */
  kinds: string[]
  /** The kinds whose predictions can be written so. */
  writes: string[]
}

export const studentsOf = (catalog: Catalog): Student[] => catalog.students as unknown as Student[]
export const teacherFamiliesOf = (catalog: Catalog): TeacherFamily[] => catalog.teachers as unknown as TeacherFamily[]
export const layoutsOf = (catalog: Catalog): Layout[] => catalog.formats as unknown as Layout[]

/** The family of a size, such as resnet of resnet18. */
export function studentFamilyOf(catalog: Catalog, type: string, size: string): Student | null {
  const all = studentsOf(catalog)
  const ofSize = (one: Student) => size in one.sizes || (one.open_sizes === true && size.startsWith(`${one.name}-`))
  return all.find((one) => one.name === type) ?? all.find(ofSize) ?? null
}

/** What a run of this student begins with, by knob, where that is not the knob's own default. */
export function defaultsOf(student: Student | null, size: string): Record<string, unknown> {
  const weights = student?.configured_weights?.[size]
  const start = weights ? { 'student.init': 'pretrained', 'student.path': weights } : {}
  return { ...student?.defaults, ...start }
}

/**
 * What a layout is commonly learnt for, before a check has looked at its labels: of boxes and outlines
 * the boxes. '' where a whole image may have a label as well, as then the layout says nothing.
 */
export function kindOfLayout(catalog: Catalog, name: string): string {
  const kinds = layoutsOf(catalog).find((one) => one.name === name)?.kinds ?? []
  return kinds.length > 1 && kinds.includes('classification') ? '' : (kinds[0] ?? '')
}

/** What annotation tools read the most comes first where it can hold the answers. */
const USUAL_LAYOUT = 'labelme'

/** The layouts that can hold what a model of this kind predicts; the first is the usual one. */
export function writableLayouts(catalog: Catalog, kind: string | null): string[] {
  const names = layoutsOf(catalog)
    .filter((one) => one.writes.includes(kind ?? ''))
    .map((one) => one.name)
  return names.includes(USUAL_LAYOUT) ? [USUAL_LAYOUT, ...names.filter((name) => name !== USUAL_LAYOUT)] : names
}
