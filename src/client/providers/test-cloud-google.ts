import { createVerify, generateKeyPairSync, randomBytes } from 'node:crypto'
import { type Seen, startCloud, type TestCloud } from './test-cloud.ts'

const LIFE_S = 3600
const EMAIL = 'ci@my-project.iam.gserviceaccount.com'

export interface GoogleCloud extends TestCloud {
  /** The JSON file of the service account. */
  key: string
  /** Repository id → format and images. */
  repositories: Map<string, { format: string; images: string[] }>
  throttled: number
  /** The account's key was deleted. */
  isKeyDeleted: boolean
  /** How many looks a creation takes. */
  creationTakes: number
  forgetTokens(): void
  pageSize: number
}

/** The token endpoint, which verifies the assertion, and the API of Artifact Registry. */
export function startGoogle(options: { now?: () => number } = {}): GoogleCloud {
  const { now = Date.now } = options
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const tokens = new Map<string, number>()
  const coming = new Map<string, number>()
  const cloud: GoogleCloud = Object.assign(startCloud(answer), {
    key: JSON.stringify({
      type: 'service_account',
      project_id: 'my-project',
      private_key_id: 'a-key',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      client_email: EMAIL,
      // Not looked at: a key shall not say where its assertion goes.
      token_uri: 'https://attacker.example/token',
    }),
    repositories: new Map(),
    throttled: 0,
    isKeyDeleted: false,
    creationTakes: 0,
    forgetTokens: () => tokens.clear(),
    pageSize: 1000,
  })
  return cloud

  function answer(seen: Seen): Response {
    if (seen.path === '/token') return giveToken(seen)
    const [, token = ''] = /^Bearer (.+)$/.exec(seen.headers.get('authorization') ?? '') ?? []
    if ((tokens.get(token) ?? 0) <= now()) {
      return refuse(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.')
    }
    if (cloud.throttled > 0) {
      cloud.throttled -= 1
      return refuse(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded for quota metric')
    }
    const place =
      /^\/v1\/projects\/my-project\/locations\/(?:europe-west1|us)\/repositories(?:\/([^/]+))?(\/packages)?$/
    const match = place.exec(seen.path)
    if (!match) return refuse(403, 'PERMISSION_DENIED', 'The caller does not have permission')
    const [, id, packages] = match
    if (id === undefined) return seen.method === 'POST' ? create(seen) : list(seen)
    const repository = find(id)
    if (!repository) return refuse(404, 'NOT_FOUND', `Requested entity ${id} was not found.`)
    if (packages === undefined) return Response.json({ name: id, format: repository.format })
    const { page, nextPageToken } = cut(repository.images, seen)
    const parent = `projects/my-project/locations/europe-west1/repositories/${id}/packages`
    const shown = page.map((image) => ({ name: `${parent}/${encodeURIComponent(image)}` }))
    return Response.json({ packages: shown, ...(nextPageToken ? { nextPageToken } : {}) })
  }

  function list(seen: Seen): Response {
    const { page, nextPageToken } = cut([...cloud.repositories.keys()].sort(), seen)
    const repositories = page.map((id) => ({
      name: `projects/my-project/locations/europe-west1/repositories/${id}`,
      format: cloud.repositories.get(id)?.format,
    }))
    return Response.json({ repositories, ...(nextPageToken ? { nextPageToken } : {}) })
  }

  function create(seen: Seen): Response {
    const id = seen.query.get('repositoryId') ?? ''
    if (cloud.repositories.has(id)) return refuse(409, 'ALREADY_EXISTS', 'it exists')
    cloud.repositories.set(id, { format: JSON.parse(seen.body).format, images: [] })
    coming.set(id, cloud.creationTakes)
    return Response.json({ name: 'operations/1', done: false })
  }

  /** One that is still being made is not found so many times. */
  function find(id: string) {
    const left = coming.get(id) ?? 0
    if (left <= 0) return cloud.repositories.get(id)
    coming.set(id, left - 1)
    return undefined
  }

  function cut(all: string[], seen: Seen) {
    const size = Math.min(cloud.pageSize, Number(seen.query.get('pageSize')))
    const start = Number(seen.query.get('pageToken') ?? 0)
    const end = start + size
    return { page: all.slice(start, end), nextPageToken: end < all.length ? `${end}` : '' }
  }

  function giveToken(seen: Seen): Response {
    const form = new URLSearchParams(seen.body)
    const [head = '', body = '', signature = ''] = (form.get('assertion') ?? '').split('.')
    const part = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString())
    const [header, claims] = [part(head), part(body)]
    const isSigned = createVerify('RSA-SHA256')
      .update(`${head}.${body}`)
      .verify(publicKey, Buffer.from(signature, 'base64url'))
    const seconds = now() / 1000
    const isWhole =
      form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:jwt-bearer' &&
      header.alg === 'RS256' &&
      header.kid === 'a-key' &&
      claims.aud === 'https://oauth2.googleapis.com/token' &&
      claims.scope === 'https://www.googleapis.com/auth/cloud-platform'
    if (cloud.isKeyDeleted || claims.iss !== EMAIL || !isSigned || !isWhole) {
      return grantRefused('Invalid JWT Signature.')
    }
    if (Math.abs(claims.iat - seconds) > 300 || claims.exp - claims.iat > LIFE_S) {
      return grantRefused('Invalid JWT: Token must be a short-lived token (60 minutes)')
    }
    const token = `ya29.${randomBytes(24).toString('base64url')}`
    tokens.set(token, now() + LIFE_S * 1000)
    return Response.json({ access_token: token, expires_in: LIFE_S, token_type: 'Bearer' })
  }
}

function refuse(status: number, name: string, message: string): Response {
  return Response.json({ error: { code: status, message, status: name } }, { status })
}

function grantRefused(error_description: string): Response {
  return Response.json({ error: 'invalid_grant', error_description }, { status: 400 })
}
