import fc from 'fast-check'
import { errorOf, formProblems } from './test-form.ts'
import type { TestServer } from './test-server.ts'
import type { Wire, WireRequest, WireResponse } from './test-wire.ts'

/* What nobody means to send, and what must be true of every answer to it. */

/** Seeded, so that a failure comes again; bounded, so that all of it takes seconds. */
export const RUNS = { seed: 20_260_301, numRuns: 120 } as const

/** Bytes that may stand in a request line, some with a meaning, some without. */
const PIECES = [
  ...[
    'a',
    'b0',
    'A',
    '_',
    '__',
    '-',
    '--',
    '.',
    '..',
    './',
    '/',
    '//',
    '\\',
    ':',
    '@',
    '~',
    '+',
    '*',
  ],
  ...[
    '%00',
    '%2F',
    '%2e%2e',
    '%5c',
    '%0d%0a',
    '%ff',
    '%',
    '%zz',
    '%u0000',
    '%c3%a9',
    '\xc3\xa9',
    '\xff',
  ],
  ...['blobs', 'manifests', 'tags', 'list', 'uploads', 'referrers', '_catalog', 'library', 'team'],
  ...[
    '"',
    "'",
    '<x>',
    ';',
    '|',
    '`',
    '{',
    '}',
    '$',
    '(',
    '&',
    '=',
    '!',
    ',',
    'sha256:',
    'x'.repeat(300),
  ],
]

/** One part of a path; without `?` and `#`, which would end it. */
export const anyName = fc
  .array(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...PIECES) }, printable(4)), {
    minLength: 1,
    maxLength: 6,
  })
  .map((pieces) => pieces.join('').replace(/[?#\s]/g, ''))

/** A value in a query, as text that is yet to be encoded. */
export const anyValue = fc.oneof(
  fc.constantFrom(
    ...[
      '',
      '0',
      '-1',
      '1e9',
      '1000000000',
      '9'.repeat(400),
      'NaN',
      ' 1',
      '\0',
      'a\0b',
      '\ud800',
      '🐋',
    ],
    ...['..', '/', 'a/b', "' OR 1=1 --", '%', 'library/hello', 'x'.repeat(10_000), '\r\nx: y', '*'],
  ),
  fc.string({ unit: 'binary', maxLength: 30 }),
  anyName,
)

/** The value of a header, in the bytes that one may have. */
export function printable(maxLength: number) {
  const unit = fc
    .integer({ min: 0x20, max: 0xff })
    .filter((code) => code < 0x7f || code > 0x9f)
    .map((code) => String.fromCharCode(code))
  return fc.string({ unit, maxLength })
}

export const anyDigest = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('sha256', 'sha512', 'SHA256', 'md5', '', 'sha256+b64', 'a b'),
      fc.constantFrom(':', '', '::', '%3A', ';'),
      fc.constantFrom(
        '0'.repeat(64),
        'f'.repeat(128),
        'F'.repeat(64),
        '0'.repeat(63),
        '',
        '../..',
        '%00',
      ),
    )
    .map((parts) => parts.join('').replaceAll(' ', '%20')),
  anyName,
)

/** Sends it, and throws unless the answer is as every answer must be. */
export type Try = (method: string, path: string, request?: WireRequest) => Promise<WireResponse>

/** `as` is used unless a request says otherwise. One connection serves them all. */
export function createTry(server: TestServer, as: string): Try {
  let wire: Wire = server.connect()
  return async (method, path, request = {}) => {
    if (wire.closed) wire = server.connect()
    const answer = await wire.request(method, path, { as, ...request, anyForm: true })
    // Bun resolves dots before anybody sees the path, which may lead out of /v2.
    const where = new URL(`http://host${path}`).pathname
    const problems = isV2(where) ? formProblems(method, answer) : []
    if (answer.status >= 500) problems.push(answer.text())
    if (problems.length === 0) return answer
    const said = answer.status >= 400 && method !== 'HEAD' && isV2(where) ? errorOf(answer) : ''
    throw new Error(`${answer.status}: ${problems.join('; ')} ${JSON.stringify(said)}`)
  }
}

const isV2 = (path: string) => path === '/v2' || path.startsWith('/v2/')
