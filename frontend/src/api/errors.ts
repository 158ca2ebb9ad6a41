/** What went wrong, in the server's own sentence. */
export interface FieldProblem {
  field: string
  problem: string
  fix?: string | null
}

/** An answer that is a failure, or no answer at all (status 0). */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly problems: FieldProblem[] = [],
  ) {
    super(message)
    this.name = 'ApiError'
  }

  /** The server was not reached: it may be starting, or the network is away. */
  get isAway(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504
  }
}

interface Body {
  detail?: unknown
  message?: unknown
  title?: unknown
  errors?: FieldProblem[]
  data?: FieldProblem[] | null
}

/** Reads a failure of any of the three surfaces: problem+json, the envelope, or bare `detail`. */
export async function failure(response: Response): Promise<ApiError> {
  let body: Body = {}
  try {
    body = (await response.json()) as Body
  } catch {
    // A proxy's page, or nothing: the status has to do.
  }
  const listed = [body.errors, body.data, body.detail].find(Array.isArray) as
    | FieldProblem[]
    | undefined
  const sentence = [body.detail, body.message, body.title].find((text) => typeof text === 'string')
  return new ApiError(sentence ?? `HTTP ${response.status}`, response.status, listed ?? [])
}
