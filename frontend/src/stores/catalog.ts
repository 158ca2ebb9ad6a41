import { defineStore } from 'pinia'
import { shallowRef } from 'vue'

import { api, unwrap, apiLocale } from '@/api/client'
import type { Catalog } from '@/api/types'

/**
 * What there is to choose from: students, teachers, losses, data layouts and the schema of every knob. It is
 * large and changes with the service alone, so it is asked for once a language and shared by all pages.
 */
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
