import { defineStore } from 'pinia'
import { computed, reactive } from 'vue'

import { ApiError } from '@/api/errors'
import * as uploads from '@/api/uploads'
import { type SavedUpload, forgetUpload, saveUpload, savedUploads } from '@/stores/savedUploads'

/**
 * `asleep`: begun before this page was loaded; its file has to be chosen again. `broken`: the
 * service was not reached; it goes on by itself.
 */
export type Stage = 'asleep' | 'sending' | 'paused' | 'broken' | 'unpacking' | 'done' | 'failed'

export interface UploadItem extends SavedUpload {
  file: File | null
  sent: number
  stage: Stage
  error: ApiError | null
  /** What it became, or what holds the same content already. */
  dataset: string | null
  bytesPerSecond: number | null
}

const FIRST_PIECE = 2 ** 20
const LARGEST_PIECE = 8 * 2 ** 20
const QUICK_MS = 1500
const AFTER_UNPACKING_MS = 5000
const WAITS_MS = [500, 1000, 2000, 5000]

/** ZIPs on their way to the service; they go on while other pages are open, and after a break. */
export const useUploads = defineStore('uploads', () => {
  const all = reactive<UploadItem[]>(savedUploads().map((item) => asleep(item)))
  const busy = computed(() => all.some((item) => ['sending', 'broken', 'unpacking'].includes(item.stage)))
  const stops = new Map<string, AbortController>()

  /** Begins, or goes on with the same file where it was broken off. ApiError when it is refused. */
  async function start(name: string, file: File): Promise<UploadItem> {
    const before = sameFile(file)
    if (before) return wake(before, file)
    const { id } = await uploads.begin(name, file.size)
    const saved = { id, name, fileName: file.name, size: file.size, modified: file.lastModified }
    saveUpload(saved)
    all.unshift({ ...asleep(saved), file })
    const item = all[0] as UploadItem // as the list holds it: reactive
    void run(item)
    return item
  }

  /** One that was begun with a file of this name, size and time. */
  function sameFile(file: File): UploadItem | undefined {
    return all.find(
      (item) =>
        item.fileName === file.name && item.size === file.size && item.modified === file.lastModified &&
        !['done', 'failed'].includes(item.stage),
    )
  }

  function wake(item: UploadItem, file: File): UploadItem {
    item.file = file
    if (['asleep', 'paused'].includes(item.stage)) void run(item)
    return item
  }

  function pause(item: UploadItem): void {
    item.stage = 'paused'
    stops.get(item.id)?.abort()
  }

  function resume(item: UploadItem): void {
    if (item.file) void run(item)
  }

  /** Gives up: what came is deleted at the service; one that has ended only leaves the list. */
  async function discard(item: UploadItem): Promise<void> {
    const ended = item.stage === 'done'
    if (!ended) pause(item)
    forgetUpload(item.id)
    all.splice(all.findIndex((other) => other.id === item.id), 1)
    if (!ended) await uploads.remove(item.id).catch(ignoreRefusal)
  }

  /** Sends until all is there, waits through breaks, and has it unpacked. */
  async function run(item: UploadItem): Promise<void> {
    stops.get(item.id)?.abort()
    const stop = new AbortController()
    stops.set(item.id, stop)
    item.error = null
    item.stage = 'sending'
    for (let failures = 0; !stop.signal.aborted; ) {
      try {
        const before = item.sent
        await sendRest(item, stop.signal)
        if (item.sent > before) failures = 0
        if (!stop.signal.aborted) await finish(item)
        return
      } catch (problem) {
        if (stop.signal.aborted) return
        if (!(problem instanceof ApiError)) throw problem
        if (!passes(problem, item)) return fail(item, problem)
        const pause = WAITS_MS[Math.min(failures++, WAITS_MS.length - 1)] ?? 0
        // What is being unpacked may still be: it is not asked for twice at once.
        const longer = (item.stage as Stage) === 'unpacking' ? AFTER_UNPACKING_MS : 0
        item.stage = problem.status === 409 ? 'sending' : 'broken'
        await wait(Math.max(pause, longer), stop.signal)
      }
    }
  }

  /** A break, or another piece of the same file that is still being written. */
  function passes(problem: ApiError, item: UploadItem): boolean {
    if (problem.status === 503 && problem.message && item.stage === 'unpacking') return false
    return problem.isAway || (problem.status === 409 && item.stage !== 'unpacking' && item.sent < item.size)
  }

  async function sendRest(item: UploadItem, signal: AbortSignal): Promise<void> {
    const upload = await uploads.get(item.id, signal)
    item.sent = upload.offset ?? 0
    let length = FIRST_PIECE
    while (upload.status === 'RECEIVING' && item.sent < item.size && item.file && !signal.aborted) {
      const began = performance.now()
      const from = item.sent
      const piece = item.file.slice(from, from + length)
      item.sent = (await uploads.send(item.id, from, piece, signal)).offset ?? 0
      item.stage = 'sending'
      const took = performance.now() - began
      item.bytesPerSecond = took > 0 ? (1000 * (item.sent - from)) / took : null
      length = took < QUICK_MS ? Math.min(LARGEST_PIECE, length * 2) : Math.max(FIRST_PIECE, length / 2)
    }
  }

  async function finish(item: UploadItem): Promise<void> {
    item.stage = 'unpacking'
    const answer = await uploads.complete(item.id)
    item.dataset = answer.dataset ?? null
    if (answer.status !== 'READY') return fail(item, new ApiError(answer.message ?? '', 422))
    item.stage = 'done'
    item.file = null
    forgetUpload(item.id)
  }

  function fail(item: UploadItem, problem: ApiError): void {
    item.error = problem
    item.stage = 'failed'
    if (problem.status === 404 || problem.status === 422) forgetUpload(item.id)
  }

  return { all, busy, start, sameFile, pause, resume, discard }
})

function asleep(item: SavedUpload): UploadItem {
  return { ...item, file: null, sent: 0, stage: 'asleep', error: null, dataset: null, bytesPerSecond: null }
}

function ignoreRefusal(problem: unknown): void {
  if (!(problem instanceof ApiError)) throw problem // it is swept by the service in time
}

function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
