import type { Catalog } from '@/api/types'

/** A family of students as the catalog lists it. */
export interface Student {
  name: string
  about: string
  kinds: string[]
  /** Millions of parameters by size. */
  sizes: Record<string, number>
  /** What this family begins with, by dotted field. */
  defaults: Record<string, unknown>
  licence: string
  needs_extra?: string
  /** While it trains, roughly, by size. */
  memory_megabytes?: Record<string, number>
}

export const studentsOf = (catalog: Catalog): Student[] => catalog.students as unknown as Student[]

/** The family of a size, such as resnet of resnet18. */
export function familyOf(catalog: Catalog, type: string, size: string): Student | null {
  const all = studentsOf(catalog)
  return all.find((one) => one.name === type) ?? all.find((one) => size in one.sizes || (one.name === 'unet' && size.startsWith('unet-'))) ?? null
}
