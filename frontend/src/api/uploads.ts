import { api, unwrap } from './client'
import type { Upload } from './types'


/** A place for a ZIP of so many bytes, under the name of the data set that it becomes. */
export const begin = (name: string, size: number): Promise<Upload> =>
  unwrap(api.POST('/api/v1/uploads', { body: { name, size } }))

export const get = (id: string, signal?: AbortSignal): Promise<Upload> =>
  unwrap(api.GET('/api/v1/uploads/{id}', { params: { path: { id } }, ...(signal ? { signal } : {}) }))

/** Sends the bytes that begin at `offset`; the answer says how many are there now. */
export const send = (id: string, offset: number, piece: Blob, signal: AbortSignal): Promise<Upload> =>
  unwrap(
    api.PUT('/api/v1/uploads/{id}', {
      params: { path: { id }, header: { 'upload-offset': offset } },
      body: piece as unknown as string, // the schema's word for bytes
      bodySerializer: (bytes) => bytes,
      headers: { 'Content-Type': 'application/octet-stream' },
      signal,
    }),
  )

/** Has it unpacked; it becomes a data set, or is found to be one already. */
export const complete = (id: string): Promise<Upload> =>
  unwrap(api.POST('/api/v1/uploads/{id}/complete', { params: { path: { id } } }))

export const remove = async (id: string): Promise<void> => {
  await api.DELETE('/api/v1/uploads/{id}', { params: { path: { id } } })
}
