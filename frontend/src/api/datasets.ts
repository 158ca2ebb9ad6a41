import { api, ask } from './client'
import type { Addresses, Sample } from './samples'
import type { Dataset, Schemas } from './types'

const at = (id: string, signal?: AbortSignal) => ({ params: { path: { id } }, ...(signal ? { signal } : {}) })

export const all = (signal?: AbortSignal): Promise<Dataset[]> =>
  ask(api.GET('/api/v1/datasets', signal ? { signal } : {})) as Promise<Dataset[]>
export const one = (id: string, signal?: AbortSignal): Promise<Dataset> =>
  ask(api.GET('/api/v1/datasets/{id}', at(id, signal))) as Promise<Dataset>
export const check = (id: string): Promise<Dataset> =>
  ask(api.POST('/api/v1/datasets/{id}/check', at(id))) as Promise<Dataset>
export const remove = async (id: string): Promise<void> => {
  await api.DELETE('/api/v1/datasets/{id}', at(id))
}

export type Fault = Schemas['FaultOut']
export type Version = Schemas['VersionOut']
export type Samples = Schemas['SamplesOut']
export type Stats = Schemas['StatsOut']
const FAULTS_AT_ONCE = 500

/** Every fault that is kept of it: a thousand at most. */
export async function faults(id: string, signal?: AbortSignal): Promise<Fault[]> {
  const found: Fault[] = []
  for (let page = 1; ; page++) {
    const query = { page, page_size: FAULTS_AT_ONCE }
    const said = await ask(
      api.GET('/api/v1/datasets/{id}/faults', { params: { path: { id }, query }, ...(signal ? { signal } : {}) }),
    )
    found.push(...said.items)
    if (said.items.length < FAULTS_AT_ONCE || found.length >= said.total) return found
  }
}

export interface Wanted {
  split?: string
  label?: string
  page: number
  page_size: number
}

export const samples = (id: string, query: Wanted, signal?: AbortSignal): Promise<Samples> =>
  ask(
    api.GET('/api/v1/datasets/{id}/samples', { params: { path: { id }, query }, ...(signal ? { signal } : {}) }),
  ) as Promise<Samples>
export const stats = (id: string, signal?: AbortSignal): Promise<Stats> =>
  ask(api.GET('/api/v1/datasets/{id}/stats', at(id, signal)))
export const versions = (id: string, signal?: AbortSignal): Promise<Version[]> =>
  ask(api.GET('/api/v1/datasets/{id}/versions', at(id, signal)))
export const makeVersion = (id: string): Promise<Version> =>
  ask(api.POST('/api/v1/datasets/{id}/versions', at(id)))
export const split = (id: string, body: Schemas['SplitIn']): Promise<Dataset> =>
  ask(api.POST('/api/v1/datasets/{id}/split', { ...at(id), body })) as Promise<Dataset>

/** Where the pictures and masks of its samples are. */
export function addresses(id: string): Addresses {
  const of = (sample: Sample, what: string, size: number): string =>
    `/api/v1/datasets/${encodeURIComponent(id)}/samples/${encodeURIComponent(sample.split ?? '')}/${sample.index}/${what}?size=${size}`
  return {
    picture: (sample, size) => of(sample, 'picture', size),
    mask: (sample, _who, size) => of(sample, 'mask', size),
  }
}
