import { type Ref, computed, reactive, watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'

import { useRequest } from './useRequest'

export interface Page<T> {
  items: T[]
  total: number
}

export type Query = Record<string, string>

/**
 * A list that the server pages, filters and sorts; its state is the address, so that a page can be
 * kept, sent and gone back to. `defaults` names the parameters; one at its default is left out.
 */
export function useList<T, A extends Page<T> = Page<T>>(
  defaults: Query,
  request: (query: Query, signal: AbortSignal) => Promise<A>,
) {
  const route = useRoute()
  const router = useRouter()
  const home = route.path
  const known: Query = { page: '1', page_size: '20', ...defaults }
  const query = reactive<Query>({ ...known })

  function read(): void {
    for (const [name, fallback] of Object.entries(known)) {
      const given = route.query[name]
      query[name] = typeof given === 'string' && given !== '' ? given : fallback
    }
  }
  read()

  const state = useRequest((signal) => request({ ...query }, signal))
  const items = computed(() => state.data.value?.items ?? []) as Ref<T[]>
  const total = computed(() => state.data.value?.total ?? 0)
  const empty = computed(() => state.data.value !== null && total.value === 0)
  const filtered = computed(() =>
    Object.keys(defaults).some((name) => name !== 'sort' && query[name] !== known[name]),
  )

  /** Changes what is asked for; anything but the page begins at the first page again. */
  async function change(next: Query): Promise<void> {
    const merged: Query = { ...query, ...('page' in next ? {} : { page: '1' }), ...next }
    const shown = Object.fromEntries(
      Object.entries(merged).filter(([name, value]) => value !== '' && value !== known[name]),
    )
    await router.replace({ query: { ...others(), ...shown } })
  }

  function others(): Record<string, string> {
    return Object.fromEntries(
      Object.entries(route.query).filter(
        (entry): entry is [string, string] => !(entry[0] in known) && typeof entry[1] === 'string',
      ),
    )
  }

  watch(
    () => route.query,
    () => {
      if (route.path !== home) return // on its way to another page
      read()
      void state.load()
    },
    { immediate: true },
  )

  return { query, items, total, empty, filtered, change, ...state }
}
