// What a call can end in besides an answer.

/** RFC 9457, as Blobwatch writes it. */
export type Problem = {
  type: string
  title: string
  status: number
  /** A sentence about this request. */
  detail?: string
  /** A word that stays the same between versions. */
  code?: string
  requestId?: string
  errors?: { field: string; message: string }[]
}

/** The service answered, and refused. Its message carries nothing of what was sent. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: number
  /** Of /api/v1; HMA answers in its own shapes, and then only `detail` is known. */
  readonly problem: Partial<Problem>
  /** What Retry-After asked for, in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(
    call: string,
    answer: { status: number; problem: Partial<Problem>; retryAfterMs: number | undefined },
  ) {
    const words = answer.problem.detail ?? answer.problem.title
    super(`${call}: ${answer.status}${words === undefined ? '' : ` ${words}`}`)
    this.status = answer.status
    this.problem = answer.problem
    this.retryAfterMs = answer.retryAfterMs
  }
}

export type ConnectionFault =
  /** No complete answer within `timeoutMs`. */
  | 'timeout'
  /** No connection, it broke, or the service sent us elsewhere. */
  | 'network'
  /** Not JSON, cut off, or larger than `answerBytesMax`. */
  | 'bad-answer'

/** No answer that can be used. Whether the service did what was asked is not known. */
export class ConnectionError extends Error {
  override name = 'ConnectionError'
  readonly fault: ConnectionFault

  constructor(call: string, fault: ConnectionFault, options?: ErrorOptions) {
    super(`${call}: ${sentences[fault]}`, options)
    this.fault = fault
  }
}

const sentences: Record<ConnectionFault, string> = {
  timeout: 'no complete answer in time',
  network: 'no connection, or it broke',
  'bad-answer': 'the answer cannot be read',
}
