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
  const all = reactive<UploadItem[]>(savedUploads().map((one) => asleep(one)))
  const busy = computed(() => all.some((one) => ['sending', 'broken', 'unpacking'].includes(one.stage)))
  const stops = new Map<string, AbortController>()

  /** Begins, or goes on with the same file where it was broken off. ApiError when it is refused. */
  async function start(name: string, file: File): Promise<UploadItem> {
    const before = sameFile(file)
    if (before) return wake(before, file)
    const { id } = await uploads.begin(name, file.size)
    const one = { id, name, fileName: file.name, size: file.size, modified: file.lastModified }
    saveUpload(one)
    all.unshift({ ...asleep(one), file })
    const mine = all[0] as UploadItem
    void run(mine)
    return mine
  }

  /** One that was begun with a file of this name, size and time. */
  function sameFile(file: File): UploadItem | undefined {
    return all.find(
      (one) =>
        one.fileName === file.name && one.size === file.size && one.modified === file.lastModified &&
        !['done', 'failed'].includes(one.stage),
    )
  }

  function wake(one: UploadItem, file: File): UploadItem {
    one.file = file
    if (['asleep', 'paused'].includes(one.stage)) void run(one)
    return one
  }

  function pause(one: UploadItem): void {
    one.stage = 'paused'
    stops.get(one.id)?.abort()
  }

  function resume(one: UploadItem): void {
    if (one.file) void run(one)
  }

  /** Gives up: what came is deleted at the service; one that has ended only leaves the list. */
  async function discard(one: UploadItem): Promise<void> {
    const ended = one.stage === 'done'
    if (!ended) pause(one)
    forgetUpload(one.id)
    all.splice(all.findIndex((other) => other.id === one.id), 1)
    if (!ended) await uploads.drop(one.id).catch(gone)
  }

  /** Sends until all is there, waits through breaks, and has it unpacked. */
  async function run(one: UploadItem): Promise<void> {
    stops.get(one.id)?.abort()
    const stop = new AbortController()
    stops.set(one.id, stop)
    one.error = null
    one.stage = 'sending'
    for (let failures = 0; !stop.signal.aborted; ) {
      try {
        const before = one.sent
        await sendRest(one, stop.signal)
        if (one.sent > before) failures = 0
        if (!stop.signal.aborted) await finish(one)
        return
      } catch (problem) {
        if (stop.signal.aborted) return
        if (!(problem instanceof ApiError)) throw problem
        if (!passes(problem, one)) return fail(one, problem)
        const pause = WAITS_MS[Math.min(failures++, WAITS_MS.length - 1)] ?? 0
        // What is being unpacked may still be: it is not asked for twice at once.
        const longer = (one.stage as Stage) === 'unpacking' ? AFTER_UNPACKING_MS : 0
        one.stage = problem.status === 409 ? 'sending' : 'broken'
        await wait(Math.max(pause, longer), stop.signal)
      }
    }
  }

  /** A break, or another piece of the same file that is still being written. */
  function passes(problem: ApiError, one: UploadItem): boolean {
    if (problem.status === 503 && problem.message && one.stage === 'unpacking') return false
    return problem.isAway || (problem.status === 409 && one.stage !== 'unpacking' && one.sent < one.size)
  }

  async function sendRest(one: UploadItem, signal: AbortSignal): Promise<void> {
    const there = await uploads.look(one.id, signal)
    one.sent = there.offset ?? 0
    let length = FIRST_PIECE
    while (there.status === 'RECEIVING' && one.sent < one.size && one.file && !signal.aborted) {
      const began = performance.now()
      const from = one.sent
      const piece = one.file.slice(from, from + length)
      one.sent = (await uploads.send(one.id, from, piece, signal)).offset ?? 0
      one.stage = 'sending'
      const took = performance.now() - began
      one.bytesPerSecond = took > 0 ? (1000 * (one.sent - from)) / took : null
      length = took < QUICK_MS ? Math.min(LARGEST_PIECE, length * 2) : Math.max(FIRST_PIECE, length / 2)
    }
  }

  async function finish(one: UploadItem): Promise<void> {
    one.stage = 'unpacking'
    const said = await uploads.complete(one.id)
    one.dataset = said.dataset ?? null
    if (said.status !== 'READY') return fail(one, new ApiError(said.message ?? '', 422))
    one.stage = 'done'
    one.file = null
    forgetUpload(one.id)
  }

  function fail(one: UploadItem, problem: ApiError): void {
    one.error = problem
    one.stage = 'failed'
    if (problem.status === 404 || problem.status === 422) forgetUpload(one.id)
  }

  return { all, busy, start, sameFile, pause, resume, discard }
})

function asleep(one: SavedUpload): UploadItem {
  return { ...one, file: null, sent: 0, stage: 'asleep', error: null, dataset: null, bytesPerSecond: null }
}

function gone(problem: unknown): void {
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
