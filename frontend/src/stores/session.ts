import { defineStore } from 'pinia'
import { ref } from 'vue'

import { authHooks } from '@/api/client'
import { ApiError, failure } from '@/api/errors'

/** Whether this browser may ask the service; a token becomes a cookie that no script can read. */
export const useSession = defineStore('session', () => {
  const locked = ref(false)
  authHooks.onUnauthorized = () => (locked.value = true)

  async function enter(token: string): Promise<void> {
    const answer = await fetch('/api/v1/session', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ token }),
    }).catch(() => {
      throw new ApiError('', 0)
    })
    if (!answer.ok) throw await failure(answer)
    locked.value = false
  }

  async function leave(): Promise<void> {
    await fetch('/api/v1/session', { method: 'DELETE' })
    locked.value = true
  }

  return { locked, enter, leave }
})
