/** One item of a list of pictures, clips or texts, with what a person and a model say of it. */
export interface ClassConfidence {
  label: string
  confidence: number | null
}

export interface Box {
  label: string
  /** Left, top, width, height in pixels of the original picture. */
  box: readonly number[]
  confidence?: number | null
  /** Rings of points, in the same pixels. */
  outlines?: readonly (readonly (readonly number[])[])[] | null
}

export interface Labels {
  label?: string | null
  confidence?: number | null
  boxes?: Box[]
  has_mask?: boolean
  /** The most probable classes. */
  top?: ClassConfidence[]
}

export interface Sample {
  index: number
  name: string
  split?: string | null
  width?: number | null
  height?: number | null
  /** Of text kinds: at most 2,000 letters of it. */
  text?: string | null
  truth?: Labels | null
  answer?: Labels | null
}

/** Who says so: a person, or a model. */
export type Who = 'truth' | 'answer'

/** A picture of a sample in at most so many pixels, and its mask of one of the two. */
export interface SampleUrls {
  image: (sample: Sample, size: number) => string
  mask?: (sample: Sample, who: Who, size: number) => string
}

const COLOURS = 12
const MASK_COLOURS = 18
const BIT32 = 2 ** 32

/** A class keeps its colour: by its place among `classes`, else by its name. */
export function classColour(label: string, classes: readonly string[] = []): string {
  const place = classes.indexOf(label)
  return `var(--class-${(place >= 0 ? place : hashed(label)) % COLOURS})`
}

/** Of a class's place in a mask; the server paints them so (tandem/server/http/images.py). */
export function maskColour(place: number): string {
  return place <= 0 ? 'transparent' : `var(--mask-${(place - 1) % MASK_COLOURS})`
}

function hashed(text: string): number {
  return [...text].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % BIT32, 7)
}

/** Each label once, with how often it stands there, the most frequent first. */
export function countLabels(labels: Labels): [string, number][] {
  const counts = new Map<string, number>()
  for (const { label } of labels.boxes ?? []) counts.set(label, (counts.get(label) ?? 0) + 1)
  return [...counts].sort((one, other) => other[1] - one[1])
}
