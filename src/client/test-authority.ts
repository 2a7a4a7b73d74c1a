import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TestAuthority {
  /** PEM of the authority itself. */
  caCertificate: string
  /** Of a server at 127.0.0.1, signed by the authority. */
  server: { cert: string; key: string }
}

/** An authority of one's own, as a company has it, made by openssl. */
export async function createAuthority(): Promise<TestAuthority> {
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-authority-'))
  const openssl = async (...args: string[]) => {
    const child = Bun.spawn(['openssl', ...args], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const said = await new Response(child.stderr).text()
    if ((await child.exited) !== 0) throw new Error(`openssl ${args[0]} failed:\n${said}`)
  }
  const read = (name: string) => Bun.file(join(folder, name)).text()
  try {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    await openssl(
      ...['req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2'],
      ...['-subj', '/CN=Test authority'],
    )
    await openssl(
      ...['req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=registry'],
    )
    await Bun.write(join(folder, 'names'), 'subjectAltName=IP:127.0.0.1\n')
    await openssl(
      ...['x509', '-req', '-in', 'server.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key'],
      ...['-CAcreateserial', '-out', 'server.crt', '-days', '2', '-extfile', 'names'],
    )
    const server = { cert: await read('server.crt'), key: await read('server.key') }
    return { caCertificate: await read('ca.crt'), server }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
