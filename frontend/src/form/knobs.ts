import { type Tree, get, put, same } from './specTree'

/** The parts of JSON Schema that pydantic writes for a RunSpec. */
export interface Schema {
  $ref?: string
  $defs?: Record<string, Schema>
  type?: string
  title?: string
  description?: string
  properties?: Record<string, Schema>
  anyOf?: Schema[]
  enum?: unknown[]
  const?: unknown
  items?: Schema
  additionalProperties?: boolean | Schema
  default?: unknown
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  exclusiveMaximum?: number
  /** What its choices are called. */
  choices?: Record<string, string>
  unit?: string | null
  level?: 'basic' | 'advanced'
}

export type KnobInput = 'number' | 'integer' | 'boolean' | 'choice' | 'text' | 'numbers' | 'texts' | 'json'

/** One knob, as the form draws it. */
export interface Knob {
  path: string
  input: KnobInput
  title: string
  about: string
  unit: string | null
  basic: boolean
  nullable: boolean
  defaultValue: unknown
  choices: string[]
  /** What each choice is called in the reader's language. */
  choiceTitles: Record<string, string>
  least: number | null
  /** Whether `least` itself is too little. */
  exclusive: boolean
  most: number | null
}

/** One section of the spec with its knobs; the spec's own scalar fields are the section ''. */
export interface Section {
  name: string
  title: string
  knobs: Knob[]
}

function resolved(schema: Schema, root: Schema): Schema {
  const name = schema.$ref?.split('/').at(-1)
  if (name === undefined) return schema
  const { $ref: _, ...said } = schema
  return { ...root.$defs?.[name], ...said }
}

function inputOf(schema: Schema, choices: string[]): KnobInput {
  if (choices.length > 0) return 'choice'
  if (schema.type === 'integer' || schema.type === 'number' || schema.type === 'boolean') return schema.type
  if (schema.type === 'array') return ['integer', 'number'].includes(schema.items?.type ?? '') ? 'numbers' : 'texts'
  return schema.type === 'string' ? 'text' : 'json'
}

/** Lists and tables without a default of their own begin empty. */
function emptyOf(type: string | undefined): unknown {
  if (type === 'array') return []
  return type === 'object' ? {} : null
}

function knob(path: string, given: Schema, root: Schema): Knob {
  const schema = resolved(given, root)
  const options = (schema.anyOf ?? [schema]).map((one) => resolved(one, root))
  const real = options.filter((one) => one.type !== 'null')
  // Of several shapes (`auto`, or a list of GPUs) the choices are offered, and the rest as JSON.
  const choices = real.flatMap((one) => one.enum ?? (one.const === undefined ? [] : [one.const])).map(String)
  const only = real.length === 1 ? (real[0] ?? {}) : {}
  const mixed = real.length > 1
  return {
    path,
    input: mixed ? 'json' : inputOf(only, choices),
    title: schema.title ?? path,
    about: schema.description ?? '',
    unit: schema.unit ?? null,
    basic: schema.level === 'basic',
    nullable: real.length < options.length,
    defaultValue: schema.default ?? emptyOf(schema.type),
    choices,
    choiceTitles: schema.choices ?? {},
    least: only.minimum ?? only.exclusiveMinimum ?? null,
    exclusive: only.minimum === undefined && only.exclusiveMinimum !== undefined,
    most: only.maximum ?? only.exclusiveMaximum ?? null,
  }
}

/** What a choice is called, where that says more than the choice itself. */
export function choiceOf(knob: Knob | undefined, value: string): string {
  const choiceTitles = knob?.choiceTitles[value] ?? ''
  return choiceTitles.toLowerCase() === value ? '' : choiceTitles
}

/** Every section of a spec's schema, in its order. */
export function sections(root: Schema): Section[] {
  const found: Section[] = [{ name: '', title: root.title ?? '', knobs: [] }]
  for (const [name, given] of Object.entries(root.properties ?? {})) {
    const whole = resolved(given, root)
    const below = whole.properties
      ? whole
      : (whole.anyOf ?? []).map((one) => resolved(one, root)).find((one) => one.properties)
    if (!below?.properties) {
      found[0]?.knobs.push(knob(name, given, root))
      continue
    }
    found.push({
      name,
      title: given.title ?? below.title ?? name,
      knobs: Object.entries(below.properties).map(([key, one]) => knob(`${name}.${key}`, one, root)),
    })
  }
  return found
}

/** A spec without what it would begin with anyway, by this student's defaults. */
export function trimmed(spec: Tree, root: Schema, defaults: Record<string, unknown>): Tree {
  return sections(root)
    .flatMap((section) => section.knobs)
    .filter(({ path, defaultValue }) => same(get(spec, path), path in defaults ? defaults[path] : defaultValue))
    .reduce((at, { path }) => put(at, path, undefined), spec)
}

/** What a person typed, as the value of a knob; throws a SyntaxError where it is none. */
export function parseText(knob: Knob, text: string): unknown {
  const trimmedText = text.trim()
  if (trimmedText === '') {
    if (knob.nullable) return null
    return knob.input === 'texts' || knob.input === 'numbers' ? [] : knob.input === 'text' ? '' : undefined
  }
  switch (knob.input) {
    case 'number':
    case 'integer':
      return numeric(trimmedText)
    case 'numbers':
      return trimmedText.split(/[\s,]+/).filter(Boolean).map(numeric)
    case 'texts':
      return trimmedText.split(/[\s,]+/).filter(Boolean)
    case 'json':
      return knob.choices.includes(trimmedText) ? trimmedText : JSON.parse(trimmedText)
    default:
      return text
  }
}

function numeric(text: string): number {
  const value = Number(text)
  if (Number.isNaN(value)) throw new SyntaxError(text)
  return value
}

/** A value as it stands in a field. */
export function fieldText(value: unknown, input: KnobInput = 'text'): string {
  if (value === null || value === undefined) return ''
  if (Array.isArray(value)) return input === 'json' ? JSON.stringify(value) : value.join(', ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
