import type { Action } from '../accounts/permissions.ts'
import type { Role } from '../store/db/schema.ts'
import { basic, PASSWORD, type TestServer } from './test-server.ts'
import type { Wire } from './test-wire.ts'

/*
 * Everybody who may knock, and what each may do: written down here as people would say it, and
 * not read from the table of the program.
 */

/** The projects of the matrix; each has the repository `app`. */
export const PRIVATE = 'matrix-private'
export const PUBLIC = 'matrix-public'
const OTHER = 'matrix-other'

export interface Identity {
  name: string
  /** `Authorization`. */
  header: string | undefined
  /** In place of `Authorization`: the session's cookie, and what must come with it. */
  cookie?: Record<string, string>
  /** Changes need a header that other sites cannot send. */
  lacksCsrf?: true
  isEndedSession?: true
  /** Once good, or never: it proves nothing any more. */
  isVoid?: true
  isAnonymous?: true
  isSystemAdmin?: true
  isRobot?: true
  roles?: Partial<Record<string, Role>>
  /** For `/v2` only. */
  isRegistryToken?: true
  /** What the token was issued for where that is less than all: `<repository>:<action>`. */
  narrowTo?: readonly string[]
}

const GUEST: readonly Action[] = [
  'repository:pull',
  'project:read',
  'member:read',
  'project-registry:read',
]
const DEVELOPER: readonly Action[] = [...GUEST, 'repository:push', 'registry:use']
const MAINTAINER: readonly Action[] = [
  ...DEVELOPER,
  'repository:delete',
  'repository:update',
  'tag:protect',
  'project-registry:manage',
]
const ADMIN: readonly Action[] = [
  ...MAINTAINER,
  'project:update',
  'project:delete',
  'member:manage',
  'robot:manage',
]
const MAY: Record<Role, readonly Action[]> = {
  guest: GUEST,
  developer: DEVELOPER,
  maintainer: MAINTAINER,
  admin: ADMIN,
}
/** Everybody, in public projects. */
const EVERYBODY: readonly Action[] = ['repository:pull', 'project:read']

/** What the account behind an identity may do, whatever its token says. */
export function mayDo(identity: Identity, action: Action, project: string): boolean {
  if (identity.isSystemAdmin) return true
  if (action === 'catalog:read' || action === 'registry:read') return !identity.isAnonymous
  if (action === 'project:create') return !identity.isAnonymous && !identity.isRobot
  if (project === PUBLIC && EVERYBODY.includes(action)) return true
  const role = identity.roles?.[project]
  return role !== undefined && MAY[role].includes(action)
}

/** Settings of a server that believes `fromElsewhere`. */
export const BEHIND_PROXY = { ENTREPOT_TRUSTED_PROXIES: '127.0.0.0/8' }

let addresses = 0

/** Each try of bad credentials comes from another address: else they would soon be 429. */
export function fromElsewhere({ isVoid }: Identity): Record<string, string> {
  if (!isVoid) return {}
  const count = ++addresses
  return { 'x-forwarded-for': `10.${count >> 16}.${(count >> 8) & 255}.${count & 255}` }
}

/** Makes them all; projects and the repository `app` in each must be there. */
export async function createIdentities(server: TestServer, wire: Wire): Promise<Identity[]> {
  const { accounts, registry } = server
  const idOf = async (name: string) => (await registry.projects.get(name))?.id ?? 0
  const projects = [await idOf(PRIVATE), await idOf(PUBLIC)] as const

  async function user(name: string, role?: Role): Promise<number> {
    const { id } = await accounts.users.create({ name, password: PASSWORD })
    if (role) for (const project of projects) await accounts.members.put(project, id, role)
    return id
  }
  const everything = [
    `repository:${PRIVATE}/app:pull,push,delete`,
    `repository:${PUBLIC}/app:pull,push,delete`,
    'registry:catalog:*',
  ]
  async function token(as: string | undefined, scopes: readonly string[] = everything) {
    const query = scopes.map((scope) => `scope=${encodeURIComponent(scope)}`).join('&')
    const answer = await wire.request('GET', `/token?service=entrepot&${query}`, { as })
    if (answer.status !== 200) throw new Error(answer.text())
    return `Bearer ${answer.json<{ token: string }>().token}`
  }

  const identities: Identity[] = [
    { name: 'anonymous', header: undefined, isAnonymous: true },
    { name: 'anonymous, empty Basic', header: 'Basic Og==', isAnonymous: true },
    {
      name: 'anonymous token',
      header: await token(undefined),
      isAnonymous: true,
      isRegistryToken: true,
    },
    { name: 'system admin', header: server.admin, isSystemAdmin: true },
    {
      name: 'system admin, token',
      header: await token(server.admin),
      isSystemAdmin: true,
      isRegistryToken: true,
    },
  ]

  for (const role of [undefined, 'guest', 'developer', 'maintainer', 'admin'] as const) {
    const name = role ? `a-${role}` : 'stranger'
    const id = await user(name, role)
    const roles = role ? { [PRIVATE]: role, [PUBLIC]: role } : {}
    const { token: apiToken } = await accounts.apiTokens.create(id, { name: 'matrix' })
    identities.push(
      { name, header: basic(name), roles },
      { name: `${name}, API token`, header: `Bearer ${apiToken}`, roles },
      { name: `${name}, API token as password`, header: basic(name, apiToken), roles },
      { name: `${name}, token`, header: await token(basic(name)), roles, isRegistryToken: true },
    )
  }

  const narrow = { roles: { [PRIVATE]: 'maintainer', [PUBLIC]: 'maintainer' } } as const
  for (const [name, narrowTo] of [
    ['for nothing', []],
    ['to pull', [`${PRIVATE}/app:pull`, `${PUBLIC}/app:pull`]],
    ['to delete', [`${PRIVATE}/app:delete`, `${PUBLIC}/app:delete`]],
    ['for another repository', [`${PRIVATE}/app2:pull`, `${PUBLIC}/app/x:pull`]],
  ] as const) {
    const scopes = narrowTo.map((scope) => `repository:${scope}`)
    const header = await token(basic('a-maintainer'), scopes)
    identities.push({ name: `token ${name}`, header, narrowTo, isRegistryToken: true, ...narrow })
  }

  for (const project of [PRIVATE, PUBLIC, OTHER]) {
    const id = await idOf(project)
    const { robot, secret } = await accounts.robots.create(id, {
      name: 'ci',
      roles: [{ project: id, role: 'developer' }],
    })
    const about = { roles: { [project]: 'developer' }, isRobot: true } as const
    const header = basic(robot.name, secret)
    identities.push(
      { name: `robot of ${project}`, header, ...about },
      {
        name: `robot of ${project}, token`,
        header: await token(header),
        isRegistryToken: true,
        ...about,
      },
    )
  }
  return [...identities, ...(await createVoid(server, user, token))]
}

/** Those that are good no more. */
async function createVoid(
  server: TestServer,
  user: (name: string, role?: Role) => Promise<number>,
  token: (as: string) => Promise<string>,
): Promise<Identity[]> {
  const { accounts, registry } = server
  const gone = (name: string, header: string): Identity => ({ name, header, isVoid: true })
  const registryGone = (name: string, header: string): Identity => ({
    ...gone(name, header),
    isRegistryToken: true,
  })

  const yesterday = Date.now() - 86_400_000
  const before = await server.accountsAt(() => yesterday)
  await user('past', 'admin')
  const past = await before.authenticator.signIn('past', PASSWORD, '127.0.0.1')
  const actions = ['pull', 'push', 'delete']
  const access = [PRIVATE, PUBLIC].map((project) => ({
    type: 'repository' as const,
    name: `${project}/app`,
    actions,
  }))
  const expired = await before.registryTokens.issue(past, access, 'entrepot')
  const elsewhere = await accounts.registryTokens.issue(
    await accounts.authenticator.signIn('past', PASSWORD, '127.0.0.1'),
    access,
    'another-service',
  )
  const expiredApi = await before.apiTokens.create(past.account ?? 0, {
    name: 'expired',
    expiresAt: yesterday + 1_000,
  })

  const disabled = await user('disabled', 'admin')
  const ofDisabled = await token(basic('disabled'))
  const apiOfDisabled = await accounts.apiTokens.create(disabled, { name: 'matrix' })
  await accounts.users.update(disabled, { disabled: true })

  const changed = await user('changed', 'admin')
  const ofChanged = await token(basic('changed'))
  await accounts.users.setPassword(changed, `${PASSWORD}-new`)

  const revoking = await user('revoking', 'admin')
  const revoked = await accounts.apiTokens.create(revoking, { name: 'matrix' })
  const byRevoked = await token(basic('revoking', revoked.token))
  await accounts.apiTokens.revoke(revoking, revoked.id)

  const project = (await registry.projects.get(PRIVATE))?.id ?? 0
  const { robot, secret } = await accounts.robots.create(project, {
    name: 'gone',
    roles: [{ project, role: 'developer' }],
  })
  const ofRobot = await token(basic(robot.name, secret))
  await accounts.robots.remove(project, robot.id)

  // What these have in common: the workers have seen them good a moment ago.
  await Bun.sleep(5_100)
  const claims = ofChanged.split('.')[1] ?? ''
  const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
  return [
    registryGone('expired token', `Bearer ${expired.token}`),
    registryGone('token for another service', `Bearer ${elsewhere.token}`),
    gone('expired API token', `Bearer ${expiredApi.token}`),
    gone('disabled account', basic('disabled')),
    registryGone('token of a disabled account', ofDisabled),
    gone('API token of a disabled account', `Bearer ${apiOfDisabled.token}`),
    gone('old password', basic('changed')),
    registryGone('token from before the password changed', ofChanged),
    gone('revoked API token', `Bearer ${revoked.token}`),
    gone('revoked API token as password', basic('revoking', revoked.token)),
    registryGone('token by a revoked API token', byRevoked),
    gone('deleted robot', basic(robot.name, secret)),
    registryGone('token of a deleted robot', ofRobot),
    registryGone('unsigned token', `Bearer ${none}.${claims}.`),
    gone('nonsense', 'Bearer nonsense'),
    gone('unknown scheme', 'Negotiate abc'),
  ]
}

/** The three projects and the image `latest` in `app` of two of them. */
export async function createProjects(
  server: TestServer,
  push: (repository: string) => Promise<unknown>,
): Promise<void> {
  const { registry, db } = server
  for (const name of [PRIVATE, PUBLIC, OTHER]) {
    await db.transaction((tx) =>
      registry.projects.create(tx, { name, isPublic: name === PUBLIC, createdBy: null }),
    )
    await push(`${name}/app`)
  }
}

/** The same people, signed in to the console; good for `/api/v1` only. */
export async function createSessions(wire: Wire): Promise<Identity[]> {
  async function signIn(name: string) {
    const answer = await wire.request('POST', '/api/v1/session', {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, password: PASSWORD }),
    })
    const [cookie = ''] = (answer.header('set-cookie') ?? '').split(';')
    return { cookie, 'x-csrf-token': answer.json<{ csrfToken: string }>().csrfToken }
  }
  const roles = { [PRIVATE]: 'maintainer', [PUBLIC]: 'maintainer' } as const
  const maintainer = await signIn('a-maintainer')
  const ended = await signIn('a-admin')
  await wire.request('DELETE', '/api/v1/session', { headers: ended })
  const session = { header: undefined }
  return [
    {
      name: 'system admin, session',
      ...session,
      cookie: await signIn('admin'),
      isSystemAdmin: true,
    },
    { name: 'stranger, session', ...session, cookie: await signIn('stranger'), roles: {} },
    { name: 'a-maintainer, session', ...session, cookie: maintainer, roles },
    {
      name: 'a-maintainer, session without CSRF token',
      ...session,
      cookie: { cookie: maintainer.cookie },
      lacksCsrf: true,
      roles,
    },
    {
      name: 'a-maintainer, session from another site',
      ...session,
      cookie: { ...maintainer, origin: 'https://elsewhere.example' },
      lacksCsrf: true,
      roles,
    },
    { name: 'ended session', ...session, cookie: ended, isVoid: true, isEndedSession: true },
  ]
}
