import { onScopeDispose, shallowRef } from 'vue'

import { apiLocale } from '@/api/client'
import { ApiError, failure } from '@/api/errors'
import type { ModelAnswer } from '@/api/types'
import { useAction } from '@/composables/useAction'

export interface ModelAttempt {
  key: number
  name: string
  /** Of the picture as it was chosen; '' of a text. */
  url: string
  text: string
  answer: ModelAnswer
}

const KEPT = 6

/**
 * Asks the model about pictures and texts, one after the other; the last few answers stay, so that they can be compared.
 * An image is shown from the file itself, not from the service: its object URL is freed when the answer leaves the list.
 */
export function useTryModel(id: string) {
  const attempts = shallowRef<ModelAttempt[]>([])
  const { busy, refused, act } = useAction()
  let next = 0

  async function post(body: BodyInit, headers: Record<string, string>): Promise<ModelAnswer> {
    const answer = await fetch(`/api/v1/models/${encodeURIComponent(id)}/try`, {
      method: 'POST',
      body,
      headers: { ...headers, 'Accept-Language': apiLocale.language },
    }).catch(() => {
      throw new ApiError('', 0)
    })
    if (!answer.ok) throw await failure(answer)
    return (await answer.json()) as ModelAnswer
  }

  const record = (name: string, text: string, file: File | null, request: () => Promise<ModelAnswer>) =>
    act(async () => {
      const answer = await request()
      const url = file ? URL.createObjectURL(file) : ''
      attempts.value = [{ key: (next += 1), name, url, text, answer }, ...attempts.value]
      for (const old of attempts.value.slice(KEPT)) if (old.url) URL.revokeObjectURL(old.url)
      attempts.value = attempts.value.slice(0, KEPT)
    })

  function file(one: File): Promise<boolean> {
    const form = new FormData()
    form.append('file', one)
    return record(one.name, '', one, () => post(form, {}))
  }

  function text(typed: string): Promise<boolean> {
    return record('', typed, null, () => post(JSON.stringify({ text: typed }), { 'Content-Type': 'application/json' }))
  }

  onScopeDispose(() => attempts.value.forEach((one) => one.url && URL.revokeObjectURL(one.url)))
  return { attempts, refused, busy, file, text }
}
