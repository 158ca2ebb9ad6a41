import { computed, ref, watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'

import { defaultsOf, studentFamilyOf } from '@/api/catalog'
import { api, unwrap } from '@/api/client'
import { type Schema, trimmed } from '@/form/knobs'
import { type Tree, get, put } from '@/form/specTree'
import { useCatalog } from '@/stores/catalog'

export interface Draft {
  name: string
  description: string
  /** Name of the task whose settings it began with. */
  from: string
  /** What was said of the run: what stands at its default is left out. */
  spec: Tree
}

/** What the service sets for each task itself. */
export const SERVICE_KNOBS = ['task_id', 'run.output_dir', 'data.root', 'cache.root', 'report.api_base_url']

const KEY = 'tandem.draft'
const FRESH: Draft = { name: '', description: '', from: '', spec: {} }

function savedDraft(): Draft {
  try {
    return { ...FRESH, ...(JSON.parse(sessionStorage.getItem(KEY) ?? '{}') as Partial<Draft>) }
  } catch {
    return { ...FRESH }
  }
}

/**
 * The task that is being put together, in all three steps. It is kept in the session's storage, as a reload, a sign-in or
 * a look at another page must not lose what was typed. It holds only what a person chose: a default that the service
 * changes later is then the new one. `?clone=` begins it with another
 * task's settings, `?dataset=`, `?teacher=` and `?student=` with these.
 */
export function useTaskDraft() {
  const route = useRoute()
  const router = useRouter()
  const draft = ref<Draft>(savedDraft())
  const copiedFrom = computed(() => draft.value.from)

  watch(draft, (now) => {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(now))
    } catch {
      // It lasts as long as the page then.
    }
  }, { deep: true })

  async function begin(): Promise<void> {
    const fromAddress = (name: string) => (typeof route.query[name] === 'string' ? String(route.query[name]) : '')
    if (fromAddress('clone')) await clone(fromAddress('clone'))
    const given: [string, string][] = [
      ['data.dataset', fromAddress('dataset')],
      ['teacher.path', fromAddress('teacher')],
      ['student.size', fromAddress('student')],
    ]
    for (const [path, value] of given) if (value) set(path, value)
    // Said once: a reload goes on with the draft.
    if (Object.keys(route.query).length > 0) await router.replace({ query: {} })
  }

  async function clone(id: string): Promise<void> {
    const [task, catalog] = await Promise.all([
      unwrap(api.GET('/api/v1/tasks/{task_id}', { params: { path: { task_id: id } } })),
      useCatalog().get(),
    ])
    const spec = own((task.spec ?? {}) as Tree)
    const student = studentFamilyOf(catalog, String(get(spec, 'student.type') ?? ''), String(get(spec, 'student.size') ?? ''))
    draft.value = {
      name: task.name,
      from: task.name,
      description: task.description ?? '',
      spec: trimmed(spec, catalog.run_schema as Schema, defaultsOf(student, String(get(spec, 'student.size') ?? ''))),
    }
  }

  /** Without what the service gives each task itself. */
  function own(spec: Tree): Tree {
    return SERVICE_KNOBS.reduce<Tree>((at, path) => put(at, path, undefined), spec)
  }

  function set(path: string, value: unknown): void {
    draft.value.spec = put(draft.value.spec, path, value)
  }

  function setSpec(spec: Tree): void {
    draft.value.spec = spec
  }

  function describe(name: string, description: string): void {
    draft.value.name = name
    draft.value.description = description
  }

  const text = (path: string): string => String(get(draft.value.spec, path) ?? '')

  function clear(): void {
    draft.value = { ...FRESH, spec: {} }
    sessionStorage.removeItem(KEY)
  }

  return { draft, copiedFrom, begin, set, setSpec, describe, text, clear }
}

export type TaskDraft = ReturnType<typeof useTaskDraft>
