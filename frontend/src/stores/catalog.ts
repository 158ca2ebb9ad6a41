import { defineStore } from 'pinia'
import { shallowRef } from 'vue'

import { api, ask, reader } from '@/api/client'
import type { Catalogue } from '@/api/types'

/** Students, teachers, knobs: asked once for each language. */
export const useCatalogue = defineStore('catalogue', () => {
  const found = shallowRef<Catalogue | null>(null)
  let language = ''
  let asking: Promise<Catalogue> | null = null

  async function get(): Promise<Catalogue> {
    if (asking === null || language !== reader.language) {
      language = reader.language
      asking = ask(api.GET('/api/v1/catalog')) as Promise<Catalogue>
      asking.catch(() => (asking = null))
    }
    found.value = await asking
    return found.value
  }

  return { found, get }
})
