import { api, unwrap } from './client'
import type { SampleUrls, Sample } from './samples'
import type { Dataset, SamplesPage, DatasetSplit, DatasetStats, DatasetVersion, Fault } from './types'

const at = (id: string, signal?: AbortSignal) => ({ params: { path: { id } }, ...(signal ? { signal } : {}) })

export const list = (signal?: AbortSignal): Promise<Dataset[]> =>
  unwrap(api.GET('/api/v1/datasets', signal ? { signal } : {})) as Promise<Dataset[]>
export const get = (id: string, signal?: AbortSignal): Promise<Dataset> =>
  unwrap(api.GET('/api/v1/datasets/{id}', at(id, signal))) as Promise<Dataset>
export const check = (id: string): Promise<Dataset> =>
  unwrap(api.POST('/api/v1/datasets/{id}/check', at(id))) as Promise<Dataset>
/** Checks it as this layout from now on; null: by the look of its folder. */
export const readAs = (id: string, type: string | null): Promise<Dataset> =>
  unwrap(api.POST('/api/v1/datasets/{id}/check', { ...at(id), body: { type } })) as Promise<Dataset>
export const remove = async (id: string): Promise<void> => {
  await api.DELETE('/api/v1/datasets/{id}', at(id))
}

const FAULTS_AT_ONCE = 500

/** Every fault that is kept of it: a thousand at most. */
export async function faults(id: string, signal?: AbortSignal): Promise<Fault[]> {
  const found: Fault[] = []
  for (let page = 1; ; page++) {
    const query = { page, page_size: FAULTS_AT_ONCE }
    const answer = await unwrap(
      api.GET('/api/v1/datasets/{id}/faults', { params: { path: { id }, query }, ...(signal ? { signal } : {}) }),
    )
    found.push(...answer.items)
    if (answer.items.length < FAULTS_AT_ONCE || found.length >= answer.total) return found
  }
}

export interface SamplesQuery {
  split?: string
  label?: string
  page: number
  page_size: number
}

export const samples = (id: string, query: SamplesQuery, signal?: AbortSignal): Promise<SamplesPage> =>
  unwrap(
    api.GET('/api/v1/datasets/{id}/samples', { params: { path: { id }, query }, ...(signal ? { signal } : {}) }),
  ) as Promise<SamplesPage>
export const stats = (id: string, signal?: AbortSignal): Promise<DatasetStats> =>
  unwrap(api.GET('/api/v1/datasets/{id}/stats', at(id, signal)))
export const versions = (id: string, signal?: AbortSignal): Promise<DatasetVersion[]> =>
  unwrap(api.GET('/api/v1/datasets/{id}/versions', at(id, signal)))
export const makeVersion = (id: string): Promise<DatasetVersion> =>
  unwrap(api.POST('/api/v1/datasets/{id}/versions', at(id)))
export const split = (id: string, body: DatasetSplit): Promise<Dataset> =>
  unwrap(api.POST('/api/v1/datasets/{id}/split', { ...at(id), body })) as Promise<Dataset>

/** Where the pictures and masks of its samples are. */
export function sampleUrls(id: string): SampleUrls {
  const of = (sample: Sample, what: string, size: number): string =>
    `/api/v1/datasets/${encodeURIComponent(id)}/samples/${encodeURIComponent(sample.split ?? '')}/${sample.index}/${what}?size=${size}`
  return {
    image: (sample, size) => of(sample, 'picture', size),
    mask: (sample, _who, size) => of(sample, 'mask', size),
  }
}
