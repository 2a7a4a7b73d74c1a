import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { digestOf, pushBlob, randomBlob } from '../test-content.ts'
import { errorOf } from '../test-form.ts'
import { basic, PASSWORD, startTestServer, type TestServer } from '../test-server.ts'
import type { Wire, WireResponse } from '../test-wire.ts'

setDefaultTimeout(60_000)

let server: TestServer
let wire: Wire
let admin: string
beforeAll(async () => {
  server = await startTestServer()
  wire = server.connect()
  admin = server.admin
})
afterAll(() => server.stop())

const NAME = 'team/uploads'
const uploads = `/v2/${NAME}/blobs/uploads/`
const ask = (
  method: string,
  path: string,
  body?: Uint8Array | string,
  headers?: Record<string, string>,
) =>
  wire.request(method, path, {
    as: admin,
    ...(body === undefined ? {} : { body }),
    ...(headers ? { headers } : {}),
  })

async function start(query = ''): Promise<string> {
  const answer = await ask('POST', `${uploads}${query}`)
  expect(answer.status).toBe(202)
  expect([answer.header('range'), answer.header('content-length')]).toEqual(['0-0', '0'])
  const id = answer.header('docker-upload-uuid')
  expect(answer.header('location')).toBe(`${uploads}${id}`)
  return answer.header('location') ?? ''
}

async function expectBlob(answer: WireResponse, digest: string, bytes: Uint8Array) {
  expect([answer.status, answer.status === 201 ? '' : answer.text()]).toEqual([201, ''])
  expect(answer.header('location')).toBe(`/v2/${NAME}/blobs/${digest}`)
  expect(answer.header('docker-content-digest')).toBe(digest)
  const got = await ask('GET', answer.header('location') ?? '')
  expect(got.body.equals(bytes)).toBeTrue()
}

/** As `Transfer-Encoding: chunked`, in pieces. */
function chunked(bytes: Uint8Array, size = 700): Buffer {
  const parts: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size)
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'))
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}
const STREAMED = { 'transfer-encoding': 'chunked' }

// No bytes, the two of `{}`, what is kept inline, and what is kept in a file.
const SIZES = [0, 2, 3_067, 70_000]

describe.each(['sha256', 'sha512'] as const)('a blob under %s is pushed', (algorithm) => {
  describe.each(SIZES)('with %d bytes', (size) => {
    const blob = () => {
      const bytes = size === 2 ? Buffer.from('{}') : randomBlob(size)
      return { bytes, digest: digestOf(bytes, algorithm) }
    }

    test('in one POST', async () => {
      const { bytes, digest } = blob()
      await expectBlob(await ask('POST', `${uploads}?digest=${digest}`, bytes), digest, bytes)
    })

    test('in one streamed POST', async () => {
      const { bytes, digest } = blob()
      const path = `${uploads}?digest=${digest}`
      await expectBlob(await ask('POST', path, chunked(bytes), STREAMED), digest, bytes)
    })

    test.each(['', `?digest-algorithm=${algorithm}`])('by POST%s and PUT', async (query) => {
      const { bytes, digest } = blob()
      const location = await start(query)
      await expectBlob(await ask('PUT', `${location}?digest=${digest}`, bytes), digest, bytes)
    })

    test('by a streamed PATCH and an empty PUT', async () => {
      const { bytes, digest } = blob()
      const location = await start()
      const patched = await ask('PATCH', location, chunked(bytes), STREAMED)
      expect([patched.status, patched.header('range')]).toEqual([202, `0-${Math.max(0, size - 1)}`])
      await expectBlob(await ask('PUT', `${location}?digest=${digest}`), digest, bytes)
    })

    test.each(['', `?digest-algorithm=${algorithm}`])(
      'in chunks%s, the last by PUT',
      async (query) => {
        const { bytes, digest } = blob()
        const location = await start(query)
        const third = Math.ceil(size / 3)
        for (const at of [0, third]) {
          const chunk = bytes.subarray(at, at + third)
          if (chunk.length === 0) continue
          const range = { 'content-range': `${at}-${at + chunk.length - 1}` }
          const answer = await ask('PATCH', location, chunk, range)
          expect([answer.status, answer.header('range')]).toEqual([
            202,
            `0-${at + chunk.length - 1}`,
          ])
          expect(answer.header('location')).toBe(location)
        }
        const last = bytes.subarray(2 * third)
        const range = { 'content-range': `${2 * third}-${size - 1}` }
        const path = `${location}?digest=${digest}`
        const done = last.length > 0 ? ask('PUT', path, last, range) : ask('PUT', path)
        await expectBlob(await done, digest, bytes)
      },
    )

    test.each(['POST', 'PUT', 'PATCH, PUT', 'chunk PUT'])(
      'but not with another digest: %s',
      async (way) => {
        const { bytes } = blob()
        const wrong = digestOf(`not ${randomBlob(8).toString('hex')}`, algorithm)
        const location = way === 'POST' ? uploads : await start()
        if (way === 'PATCH, PUT') await ask('PATCH', location, bytes)
        if (way === 'chunk PUT') await ask('PATCH', location, bytes.subarray(0, 1))
        const rest = way === 'PATCH, PUT' ? undefined : bytes.subarray(way === 'chunk PUT' ? 1 : 0)
        const path = `${location}?digest=${wrong}`
        const answer = await ask(way === 'POST' ? 'POST' : 'PUT', path, rest)
        // A POST that announces a digest and brings nothing is a session (old clients).
        if (way === 'POST' && size === 0) return expect(answer.status).toBe(202)
        expect([answer.status, errorOf(answer).code]).toEqual([400, 'DIGEST_INVALID'])
        const head = await ask('HEAD', `/v2/${NAME}/blobs/${wrong}`)
        expect(head.status).toBe(404)
      },
    )
  })
})

describe('a session', () => {
  test('starts without the slash, too, and echoes the name as asked', async () => {
    for (const name of ['hello', 'library/hello']) {
      for (const slash of ['', '/']) {
        const answer = await ask('POST', `/v2/${name}/blobs/uploads${slash}`)
        expect(answer.status).toBe(202)
        const location = answer.header('location') ?? ''
        expect(location).toStartWith(`/v2/${name}/blobs/uploads/`)
        const other = name === 'hello' ? 'library/hello' : 'hello'
        // One repository under two names.
        const same = await ask('GET', location.replace(`/v2/${name}/`, `/v2/${other}/`))
        expect(same.status).toBe(204)
        const bytes = randomBlob(20)
        const done = await ask('PUT', `${location}?digest=${digestOf(bytes)}`, bytes)
        expect(done.header('location')).toBe(`/v2/${name}/blobs/${digestOf(bytes)}`)
      }
    }
  })

  test('survives gaps and overlaps, which are 416 and say where to go on', async () => {
    const bytes = randomBlob(6_000)
    const location = await start()
    await ask('PATCH', location, bytes.subarray(0, 2_000), { 'content-range': '0-1999' })
    for (const method of ['PATCH', 'PUT']) {
      for (const [at, range] of [
        [4_000, '4000-5999'],
        [0, '0-1999'],
        [1_999, '1999-3998'],
      ] as const) {
        const path = method === 'PUT' ? `${location}?digest=${digestOf(bytes)}` : location
        const chunk = bytes.subarray(at, at + 2_000)
        const refused = await ask(method, path, chunk, { 'content-range': range })
        expect([method, refused.status]).toEqual([method, 416])
        expect(refused.header('range')).toBe('0-1999')
        expect(refused.header('location')).toBe(location)
        expect(errorOf(refused).code).toBe('BLOB_UPLOAD_INVALID')
        const status = await ask('GET', location)
        expect([status.status, status.header('range')]).toEqual([204, '0-1999'])
        expect(status.header('location')).toBe(location)
      }
    }
    expect(wire.closed).toBeFalse()
    await ask('PATCH', location, bytes.subarray(2_000, 4_000), {
      'content-range': 'bytes 2000-3999/6000',
    })
    // One byte too many, as Harbor's adapter for Artifactory says.
    const path = `${location}?digest=${digestOf(bytes)}`
    const last = await ask('PUT', path, bytes.subarray(4_000), { 'content-range': '4000-6000' })
    await expectBlob(last, digestOf(bytes), bytes)
  })

  test('refuses a Content-Range that says nothing', async () => {
    const location = await start()
    for (const range of ['', '5', 'a-b', 'bytes */5', '-5', '0-99999999999999999999']) {
      const answer = await ask('PATCH', location, 'hello', { 'content-range': range })
      expect([range, answer.status]).toEqual([range, 400])
      expect(errorOf(answer).code).toBe('BLOB_UPLOAD_INVALID')
    }
    expect((await ask('GET', location)).header('range')).toBe('0-0')
  })

  test('is cancelled by DELETE, and then gone', async () => {
    const location = await start()
    await ask('PATCH', location, 'hello')
    expect((await ask('DELETE', location)).status).toBe(204)
    const answers = [
      await ask('GET', location),
      await ask('PATCH', location, 'x'),
      await ask('PUT', `${location}?digest=${digestOf('hello')}`),
      await ask('DELETE', location),
    ]
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404])
    expect(errorOf(answers[0] as WireResponse).code).toBe('BLOB_UPLOAD_UNKNOWN')
  })

  test('is gone after the commit and after a wrong digest', async () => {
    for (const digest of [digestOf('hello'), digestOf('other')]) {
      const location = await start()
      await ask('PUT', `${location}?digest=${digest}`, 'hello')
      expect((await ask('PATCH', location, 'more')).status).toBe(404)
    }
  })

  test('stays when the digest of the PUT is none', async () => {
    const location = await start()
    await ask('PATCH', location, 'hello')
    for (const query of ['', '?digest=', '?digest=sha256:bad', `?digest=md5:${'0'.repeat(32)}`]) {
      const answer = await ask('PUT', `${location}${query}`)
      expect([query, answer.status, errorOf(answer).code]).toEqual([query, 400, 'DIGEST_INVALID'])
    }
    const done = await ask('PUT', `${location}?digest=${digestOf('hello')}`)
    expect(done.status).toBe(201)
  })

  test('belongs to its account and its repository', async () => {
    await server.accounts.users.create({ name: 'mallory', password: PASSWORD, isAdmin: true })
    const location = await start()
    const as = basic('mallory')
    const elsewhere = location.replace(NAME, 'team/other')
    const digest = digestOf('')
    for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
      const query = method === 'PUT' ? `?digest=${digest}` : ''
      const stranger = await wire.request(method, `${location}${query}`, { as })
      const moved = await ask(method, `${elsewhere}${query}`)
      expect([method, stranger.status, moved.status]).toEqual([method, 404, 404])
    }
    expect((await ask('GET', location)).status).toBe(204)
  })

  test('is not worth a project: asking for one makes nothing', async () => {
    const answer = await ask('POST', '/v2/nothing-yet/a/blobs/uploads/')
    expect(answer.status).toBe(202)
    expect(await server.registry.projects.get('nothing-yet')).toBeUndefined()
    await pushBlob(wire, admin, 'nothing-yet/a', 'x')
    expect(await server.registry.projects.get('nothing-yet')).toBeDefined()
  })
})

describe('a POST', () => {
  test('with a digest and no body is the start of a session', async () => {
    const answer = await ask('POST', `${uploads}?digest=${digestOf('later')}`)
    expect(answer.status).toBe(202)
    const path = `${answer.header('location')}?digest=${digestOf('later')}`
    expect((await ask('PUT', path, 'later')).status).toBe(201)
  })

  test.each(['md5', 'SHA256', '', 'sha256,sha512'])(
    'for the algorithm "%s" is 400',
    async (name) => {
      const answer = await ask('POST', `${uploads}?digest-algorithm=${name}`)
      expect([answer.status, errorOf(answer).code]).toEqual([400, 'DIGEST_INVALID'])
    },
  )

  test('for one algorithm can be finished with the other', async () => {
    for (const [said, done] of [
      ['sha512', 'sha256'],
      ['sha256', 'sha512'],
    ] as const) {
      const bytes = randomBlob(9_000)
      const location = await start(`?digest-algorithm=${said}`)
      await ask('PATCH', location, bytes.subarray(0, 5_000))
      const digest = digestOf(bytes, done)
      const answer = await ask('PUT', `${location}?digest=${digest}`, bytes.subarray(5_000))
      await expectBlob(answer, digest, bytes)
    }
  })
})
