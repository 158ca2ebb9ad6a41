import type { Kind } from './types'

/** What can be learnt, in the order it is offered; the type says when the RunSpec knows another. */
const KNOWN = { classification: true, detection: true, segmentation: true, sequence: true, text: true } satisfies Record<Kind, true>

export const KINDS = Object.keys(KNOWN) as Kind[]
