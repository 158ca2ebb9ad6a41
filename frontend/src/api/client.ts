import createClient from 'openapi-fetch'
import { reactive } from 'vue'

import { ApiError, failure } from './errors'
import type { paths } from './schema'

/** Set by the settings store; the server answers in this language. */
export const apiLocale = reactive({ language: 'en' })
/** Called when a request is refused for want of a token. */
export const authHooks = { onUnauthorized: (): void => undefined }

export const api = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? '',
  // Looked up at each call, so that a test may replace it.
  fetch: (request) => globalThis.fetch(request),
})

api.use({
  onRequest({ request }) {
    request.headers.set('Accept-Language', apiLocale.language)
    return request
  },
  async onResponse({ response }) {
    if (response.ok || response.status === 304) return
    if (response.status === 401) authHooks.onUnauthorized()
    throw await failure(response)
  },
  onError({ error }) {
    if (error instanceof ApiError) return error
    if (error instanceof DOMException && error.name === 'AbortError') return error
    return new ApiError('', 0)
  },
})

/** The answer's body; a failure is thrown as `ApiError`. */
export async function unwrap<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T
}

/** The same of surface A, whose answers are enveloped. */
export async function open<T>(answer: Promise<{ data?: { data: T } }>): Promise<T> {
  const body = (await answer).data
  if (body === undefined) throw new ApiError('', 0)
  return body.data
}
