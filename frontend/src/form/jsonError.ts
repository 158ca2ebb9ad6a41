const SPACE = /[\s]*/y
const SCALAR = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
const KEY = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y

class JsonError extends Error {
  constructor(readonly at: number) {
    super()
  }
}

/** Where a text stops being JSON, from line 1 and column 1; browsers name the place only now and then. */
export function jsonErrorAt(text: string): { line: number; column: number } | null {
  let at = 0

  function over(pattern: RegExp): boolean {
    pattern.lastIndex = at
    const found = pattern.test(text)
    if (found) at = pattern.lastIndex
    return found
  }

  function take(sign: string): boolean {
    over(SPACE)
    if (text[at] !== sign) return false
    at += 1
    return true
  }

  function demand(right: boolean): void {
    if (!right) throw new JsonError(at)
  }

  function list(close: string, item: () => void): void {
    if (take(close)) return
    do item()
    while (take(','))
    demand(take(close))
  }

  function member(): void {
    over(SPACE)
    demand(over(KEY))
    demand(take(':'))
    value()
  }

  function value(): void {
    if (take('{')) list('}', member)
    else if (take('[')) list(']', value)
    else demand(over(SCALAR))
    over(SPACE)
  }

  try {
    value()
    demand(at === text.length)
    return null
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    const lines = text.slice(0, error.at).split('\n')
    return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 }
  }
}
