import { defineStore } from 'pinia'
import { shallowRef } from 'vue'

import { api, unwrap, apiLocale } from '@/api/client'
import type { Catalog } from '@/api/types'

/** Students, teachers, knobs: asked once for each language. */
export const useCatalog = defineStore('catalog', () => {
  const found = shallowRef<Catalog | null>(null)
  let language = ''
  let asking: Promise<Catalog> | null = null

  async function get(): Promise<Catalog> {
    if (asking === null || language !== apiLocale.language) {
      language = apiLocale.language
      asking = unwrap(api.GET('/api/v1/catalog')) as Promise<Catalog>
      asking.catch(() => (asking = null))
    }
    found.value = await asking
    return found.value
  }

  return { found, get }
})
