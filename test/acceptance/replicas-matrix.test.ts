import { expect, test } from 'bun:test'
import { replicasOf, startReplicated } from './replicas.ts'
import { projectRoot, type Server } from './server.ts'

/*
 * Everybody at every route, through a balancer before three replicas: expired, revoked and disabled
 * identities among them, and what is taken away while replicas are asked all the time. The tables
 * are those of the tests in src, which are run here once more against that address; each of them
 * makes the same projects and users, and so gets an installation of its own.
 */

const FILES = [
  'src/http/matrix.test.ts',
  'src/http/api-matrix.test.ts',
  'src/http/ccr/matrix.test.ts',
  'src/http/hss/matrix.test.ts',
  'src/http/zadig/matrix.test.ts',
  'src/http/revocation.test.ts',
]
const LIMIT = 600_000

/** What these tests expect of a server: see `startTestServer` in src/http/test-server.ts. */
const EXPECTED = {
  ENTREPOT_ADMIN_PASSWORD: 'Correct-horse-1',
  ENTREPOT_TRUSTED_PROXIES: '127.0.0.0/8',
}

const runAgainst = async (server: Server, file: string): Promise<number> => {
  const { members } = replicasOf(server)
  const given = {
    port: server.port,
    replicas: members.map(({ port }) => port),
    databaseUrl: server.env.ENTREPOT_DATABASE_URL,
    sealingKey: server.env.ENTREPOT_SEALING_KEY,
  }
  // Its lines and counts are among those of this run.
  const child = Bun.spawn([process.execPath, 'test', '--timeout=120000', `./${file}`], {
    cwd: projectRoot,
    env: { ...process.env, ENTREPOT_TEST_SERVER: JSON.stringify(given) },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return child.exited
}

test.each(FILES)(
  '%s',
  async (file) => {
    const server = await startReplicated({ env: EXPECTED })
    try {
      expect(await runAgainst(server, file)).toBe(0)
      // All of them were asked.
      for (const count of replicasOf(server).balancer.given) expect(count).toBeGreaterThan(10)
    } finally {
      await server.dispose()
    }
  },
  LIMIT,
)
