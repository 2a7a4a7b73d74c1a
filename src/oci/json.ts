/*
 * Strict JSON for manifests. JSON.parse alone keeps the last of two equal names, so two readers
 * may see two documents (I-JSON, RFC 7493 section 2.3, forbids them), and deep nesting costs
 * whoever walks it.
 */

const MAX_DEPTH = 64

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }
export type JsonObject = { [name: string]: Json }

/**
 * Parses UTF-8 JSON. Throws a SyntaxError whose message says what is wrong: invalid UTF-8, a byte
 * order mark, a name that stands twice in one object, more than 64 levels, trailing bytes.
 */
export function parseStrictJson(bytes: Uint8Array): Json {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new SyntaxError('it is not valid UTF-8')
  }
  if (text.charCodeAt(0) === 0xfeff) throw new SyntaxError('it starts with a byte order mark')
  refuseAmbiguity(text)
  try {
    return JSON.parse(text) as Json
  } catch {
    throw new SyntaxError('it is not valid JSON')
  }
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * One pass over the structure: depth, and names that stand twice. Whether it is JSON at all is
 * left to JSON.parse.
 */
function refuseAmbiguity(text: string): void {
  // For each open object the names so far, for each open array null.
  const open: (Set<string> | null)[] = []
  let expectsName = false
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x7b: // {
        open.push(new Set())
        expectsName = true
        break
      case 0x5b: // [
        open.push(null)
        expectsName = false
        break
      case 0x7d: // }
      case 0x5d: // ]
        open.pop()
        expectsName = false
        break
      case 0x2c: // ,
        expectsName = open.at(-1) != null
        break
      case 0x22: {
        const end = endOfString(text, i)
        if (expectsName) {
          addName(open.at(-1), text.slice(i, end + 1))
          expectsName = false
        }
        i = end
        break
      }
    }
    if (open.length > MAX_DEPTH)
      throw new SyntaxError(`it is nested deeper than ${MAX_DEPTH} levels`)
  }
}

function addName(names: Set<string> | null | undefined, literal: string): void {
  const name = literal.includes('\\') ? decodeName(literal) : literal.slice(1, -1)
  if (names?.has(name)) {
    throw new SyntaxError(`the name ${JSON.stringify(name)} stands twice in one object`)
  }
  names?.add(name)
}

function decodeName(literal: string): string {
  try {
    return String(JSON.parse(literal))
  } catch {
    throw new SyntaxError('it is not valid JSON')
  }
}

function endOfString(text: string, start: number): number {
  for (let i = start + 1; ; ) {
    const quote = text.indexOf('"', i)
    if (quote < 0) throw new SyntaxError('it is not valid JSON')
    let backslashes = 0
    while (text.charCodeAt(quote - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return quote
    i = quote + 1
  }
}
