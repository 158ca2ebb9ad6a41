import { describe, expect, it } from 'vitest'

import { ApiError } from '../src/api/errors'
import { useAction } from '../src/composables/useAction'

describe('something a person has done', () => {
  it('is busy until the service has answered', async () => {
    const { busy, refused, act } = useAction()
    let answer = (): void => undefined
    const done = act(() => new Promise<void>((resolve) => (answer = resolve)))
    expect(busy.value).toBe(true)
    answer()
    expect(await done).toBe(true)
    expect(busy.value).toBe(false)
    expect(refused.value).toBeNull()
  })

  it('keeps why it was refused until it is tried again', async () => {
    const { busy, refused, act } = useAction()
    const why = new ApiError('The name is taken.', 409)
    expect(await act(() => Promise.reject(why))).toBe(false)
    expect(refused.value).toBe(why)
    expect(busy.value).toBe(false)
    const again = act(() => Promise.resolve())
    expect(refused.value).toBeNull()
    expect(await again).toBe(true)
  })

  it('throws what is a fault of the console, and is not busy for ever', async () => {
    const { busy, refused, act } = useAction()
    await expect(act(() => Promise.reject(new TypeError('is not a function')))).rejects.toThrow(TypeError)
    expect(busy.value).toBe(false)
    expect(refused.value).toBeNull()
  })
})
