import { afterAll, beforeAll, describe, test } from 'bun:test'
import { accessSync, appendFileSync, constants } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createUser } from '../admin-api.ts'
import { createRawRegistry, type RawRegistry } from '../raw-registry.ts'
import { type Credentials, projectRoot, type Server, startServer } from '../server.ts'

/** Where a program is: `.tools/bin` of the project first, then PATH; undefined when nowhere. */
const findProgram = (name: string): string | undefined => {
  const own = join(projectRoot, '.tools/bin', name)
  try {
    accessSync(own, constants.X_OK)
    return own
  } catch {
    return Bun.which(name) ?? undefined
  }
}

/** Debian puts a dynamic busybox aside; the images need the static one. */
const inputNeeds = ['busybox', 'tar'] as const

export type Client = {
  readonly server: Server
  /** A user of the registry who may create projects by pushing to them. */
  readonly user: Credentials
  /** A temporary folder that is also HOME; gone after the tests. */
  readonly folder: string
  /** A repository name in a project of this test alone. */
  readonly repository: string
  /** The registry seen without any client. */
  readonly registry: RawRegistry
  /** Runs a program; resolves to its standard output, trimmed. Throws with all output on failure. */
  readonly run: (
    command: readonly string[],
    options?: { readonly input?: string; readonly env?: Readonly<Record<string, string>> },
  ) => Promise<string>
}

const createClient = async (name: string): Promise<Client> => {
  // Lower case and short: podman takes the path of an OCI layout for an image name, and allows its
  // runroot 50 characters.
  const folder = join(tmpdir(), `entrepot-${crypto.randomUUID().slice(0, 8)}`)
  await mkdir(join(folder, 'docker'), { recursive: true })
  const server = await startServer()
  const user = await createUser(server, `${name}-user`)
  // Every client keeps its logins and caches in the folder, never in the developer's home.
  const ownEnv = {
    HOME: folder,
    TMPDIR: folder,
    DOCKER_CONFIG: join(folder, 'docker'),
    REGISTRY_AUTH_FILE: join(folder, 'auth.json'),
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_CACHE_HOME: join(folder, 'cache'),
    XDG_DATA_HOME: join(folder, 'data'),
    XDG_RUNTIME_DIR: join(folder, 'run'),
  }
  return {
    server,
    user,
    folder,
    repository: `${name}-project/nested/app-${crypto.randomUUID().slice(0, 8)}`,
    registry: createRawRegistry(server.url, user),
    run: async ([program = '', ...args], options = {}) => {
      const child = Bun.spawn([findProgram(program) ?? program, ...args], {
        cwd: folder,
        env: { ...process.env, ...ownEnv, ...options.env },
        stdin: options.input === undefined ? 'ignore' : new TextEncoder().encode(options.input),
        stdout: 'pipe',
        stderr: 'pipe',
        timeout: 240_000,
      })
      const [out, err] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ])
      const exitCode = await child.exited
      if (exitCode !== 0) {
        const command = [program, ...args].join(' ').replaceAll(user.password, '***')
        throw new Error(`${command}\nended with ${exitCode}:\n${out}${err}\n${server.log()}`)
      }
      return out.trim()
    },
  }
}

/** A test of this name is skipped for what is missing, and is in the list of ENTREPOT_NOT_TESTED. */
export const leaveOut = (name: string, missing: readonly string[]): void => {
  const sentence = `${name}: not tested, missing ${missing.join(', ')}`
  test.skip(sentence, () => {})
  const list = process.env.ENTREPOT_NOT_TESTED
  if (list) appendFileSync(list, `${sentence}\n`)
  else console.warn(sentence)
}

/**
 * A group of tests against one server with a real client. Where a program is missing the group is
 * skipped under a name that says so, and written to the file of ENTREPOT_NOT_TESTED, from which
 * `test/run.ts` prints the list at the end: a missing client never counts as passed.
 */
export const describeClient = (
  name: string,
  programs: readonly string[],
  body: (client: () => Client) => void,
): void => {
  const missing = [...programs, ...inputNeeds].filter((program) => !findProgram(program))
  if (missing.length > 0) {
    leaveOut(name, missing)
    return
  }
  describe(name, () => {
    let client: Client | undefined
    beforeAll(async () => {
      client = await createClient(name.replaceAll(/[^a-z0-9]+/g, '-'))
    }, 90_000)
    afterAll(async () => {
      await client?.server.dispose()
      if (client) await rm(client.folder, { recursive: true, force: true })
    }, 60_000)
    body(() => {
      if (!client) throw new Error('the server was not started')
      return client
    })
  })
}

/** Clients are slow on a busy machine: what one test with them may take, in milliseconds. */
export const clientTimeout = 300_000
