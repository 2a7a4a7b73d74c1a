import type { Config } from '../lib/config.ts'
import { AppError } from '../lib/errors.ts'
import { addressUrl } from '../lib/listen-address.ts'
import { loadTls } from '../lib/tls.ts'

const ANSWER_MS = 4000

/**
 * Asks `/readyz` of the registry that runs on this machine with the same settings: for containers
 * that hold nothing else that could.
 *
 * @throws AppError `unavailable` when it does not answer, or says that it is not ready
 */
export async function checkHealth(config: Config): Promise<void> {
  const { host, port } = config.listen.address
  const local = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host
  const url = `${addressUrl({ host: local, port }, loadTls(config) ? 'https' : 'http')}/readyz`
  const status = await fetch(url, {
    signal: AbortSignal.timeout(ANSWER_MS),
    // The certificate is for the name that clients use, not for this address.
    tls: { rejectUnauthorized: false },
    proxy: '',
  }).then(
    (answer) => answer.status,
    () => undefined,
  )
  if (status !== 200) {
    const state = status === undefined ? 'does not answer' : `answers ${status}`
    throw new AppError('unavailable', `${url} ${state}`)
  }
  process.stdout.write('ready\n')
}
