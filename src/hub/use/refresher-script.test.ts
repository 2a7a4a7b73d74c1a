import { expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { createSelfSigned } from '../../lib/self-signed.ts'
import { refreshSchedule } from './refresh-schedule.ts'
import { refresherCronJob } from './refresher-cron-job.ts'

/*
 * The job of the cluster, run as it stands: its shell script, with curl, against an Entrepot and an
 * API server of Kubernetes that write down what they are asked. Only its paths and the address of
 * the cluster are those of the test.
 */

const PASSWORD = 'robot-secret-1'
const CLUSTER_TOKEN = 'cluster-token-1'
const SECRET_NAME = 'default-registry-secret'
const SECRET = JSON.stringify({ apiVersion: 'v1', kind: 'Secret', data: { a: 'b' } })

interface Seen {
  url: string
  method: string
  authorization: string | null
  type: string | null
  body: string
}

async function run(answer: (path: string) => Response) {
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-refresher-'))
  const { cert, key } = createSelfSigned({ names: ['localhost'], now: Date.now(), days: 2 })
  const seen: Seen[] = []
  const watch = async (request: Request) => {
    const url = new URL(request.url)
    seen.push({
      url: url.pathname,
      method: request.method,
      authorization: request.headers.get('authorization'),
      type: request.headers.get('content-type'),
      body: await request.text(),
    })
    return answer(url.pathname)
  }
  const entrepot = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: watch })
  const cluster = Bun.serve({ port: 0, hostname: 'localhost', tls: { cert, key }, fetch: watch })
  try {
    for (const name of ['login', 'scratch', 'account']) mkdirSync(join(folder, name))
    const files = {
      'login/username': 'shop+cluster',
      'login/password': PASSWORD,
      'account/token': CLUSTER_TOKEN,
      'account/ca.crt': cert,
    }
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
    const { script, env } = jobOf(`http://127.0.0.1:${entrepot.port}`)
    const here = script
      .replaceAll('/var/run/secrets/kubernetes.io/serviceaccount', join(folder, 'account'))
      .replaceAll('/login/', `${folder}/login/`)
      .replaceAll('/scratch/', `${folder}/scratch/`)
      .replaceAll('https://kubernetes.default.svc', `https://localhost:${cluster.port}`)
    const child = Bun.spawn(['sh', '-c', here], {
      env: { PATH: process.env.PATH ?? '', ...env, NAMESPACE: 'staging' },
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const said =
      (await new Response(child.stdout).text()) + (await new Response(child.stderr).text())
    return { seen, said, exitCode: await child.exited }
  } finally {
    await Promise.all([entrepot.stop(true), cluster.stop(true)])
    rmSync(folder, { recursive: true, force: true })
  }
}

function jobOf(entrepotUrl: string): { script: string; env: Record<string, string> } {
  const text = refresherCronJob({
    entrepotUrl,
    project: 'shop',
    request: { purpose: 'deploy', environment: `it's "prod"` },
    secretName: SECRET_NAME,
    kubernetesNamespace: undefined,
    schedule: refreshSchedule(3_600_000, 'x'),
  })
  const cronJob = parseAllDocuments(text)[3]?.toJS()
  const [container] = cronJob.spec.jobTemplate.spec.template.spec.containers
  const pairs = container.env.map(({ name, value }: Record<string, string>) => [name, value ?? ''])
  return { script: container.command[2], env: Object.fromEntries(pairs) }
}

const PULL_SECRET = '/api/v1/projects/shop/handouts/pull-secret'
const hasCurl = Bun.which('curl') !== null

test.skipIf(!hasCurl)('the job of the cluster replaces the Secret, with curl', async () => {
  const { seen, said, exitCode } = await run(() => new Response(SECRET))
  expect({ said, exitCode }).toEqual({ said: '', exitCode: 0 })
  expect(seen).toEqual([
    {
      url: PULL_SECRET,
      method: 'POST',
      authorization: `Basic ${Buffer.from(`shop+cluster:${PASSWORD}`).toString('base64')}`,
      type: 'application/json',
      body: JSON.stringify({ purpose: 'deploy', environment: `it's "prod"` }),
    },
    {
      url: `/api/v1/namespaces/staging/secrets/${SECRET_NAME}`,
      method: 'PATCH',
      authorization: `Bearer ${CLUSTER_TOKEN}`,
      type: 'application/merge-patch+json',
      body: SECRET,
    },
  ])
})

test.skipIf(!hasCurl)(
  'the job of the cluster writes no error over the Secret, with curl',
  async () => {
    for (const answer of [
      new Response('no', { status: 403 }),
      new Response('<html>"kind"</html>'),
    ]) {
      const { seen, said, exitCode } = await run(() => answer)
      expect(exitCode).not.toBe(0)
      expect(seen.map(({ url }) => url)).toEqual([PULL_SECRET])
      expect(said).not.toContain(PASSWORD)
    }
  },
)

test.skipIf(!hasCurl)(
  'the job of the cluster fails when the cluster refuses, with curl',
  async () => {
    const { exitCode, said } = await run((path) =>
      path === PULL_SECRET ? new Response(SECRET) : new Response('no', { status: 403 }),
    )
    expect(exitCode).not.toBe(0)
    expect(said).not.toContain(CLUSTER_TOKEN)
  },
)
