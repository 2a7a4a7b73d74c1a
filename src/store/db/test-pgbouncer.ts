import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './test-databases.ts'

/** Where PgBouncer is; undefined when it is not installed. */
export function findPgbouncer(): string | undefined {
  const path = `${process.env.PATH}:/usr/sbin`
  return Bun.which(process.env.ENTREPOT_TEST_PGBOUNCER ?? 'pgbouncer', { PATH: path }) ?? undefined
}

/** A PgBouncer before the PostgreSQL of `url`; databases have the names that they have there. */
export async function startPgbouncer(url: string, mode: 'session' | 'transaction' | 'statement') {
  const program = findPgbouncer()
  if (!program) throw new Error('PgBouncer is not installed')
  const { hostname, port: behind, username, password } = new URL(url)
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-pgbouncer-'))
  const port = await freePort()
  const file = join(folder, 'pgbouncer.ini')
  await Bun.write(
    file,
    [
      '[databases]',
      `* = host=${hostname} port=${behind} user=${username} password=${password}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = any',
      `pool_mode = ${mode}`,
      'max_client_conn = 300',
      'default_pool_size = 100',
      '',
    ].join('\n'),
  )
  // It refuses to be root, and reads its settings as whom it has become.
  chmodSync(folder, 0o755)
  const asNobody = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = spawn(program, [...asNobody, file], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const watcher = endWithThisProcess(child.pid, folder)
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}`)
    await Bun.sleep(20)
  }
  return {
    url: url.replace(`:${behind}/`, `:${port}/`),
    async stop() {
      watcher.kill()
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** `bun test` runs no exit handlers, and may be killed: a shell waits for its end instead. */
function endWithThisProcess(pid: number | undefined, folder: string) {
  const wait = 'while kill -0 "$0" 2>/dev/null; do sleep 0.5; done; kill -KILL "$1"; rm -rf "$2"'
  const watcher = Bun.spawn(['sh', '-c', wait, String(process.pid), String(pid), folder], {
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  watcher.unref()
  return watcher
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' }, () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
