import { AppError } from '../lib/errors.ts'
import type { ListenAddress } from '../lib/listen-address.ts'

/** Workers of a supervisor that was killed end within a second. */
const LEFTOVERS_MS = 1500
const RETRY_MS = 50

/**
 * Proves that nobody else serves on the address, by binding it alone: the workers share the port,
 * and would share it with a stranger as well. Returns the port, chosen where 0 was asked for.
 *
 * @throws AppError `unavailable` with what to do about it.
 */
export async function claimPort({ host, port }: ListenAddress): Promise<number> {
  for (const deadline = Date.now() + LEFTOVERS_MS; ; await Bun.sleep(RETRY_MS)) {
    try {
      const probe = Bun.listen({ hostname: host, port, socket: { data() {} } })
      const claimed = probe.port
      probe.stop(true)
      return claimed
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      if (code === 'EADDRINUSE' && Date.now() < deadline) continue
      throw new AppError('unavailable', sentence(code, host, port), { code }, error)
    }
  }
}

function sentence(code: string, host: string, port: number): string {
  switch (code) {
    case 'EADDRINUSE':
      return (
        `port ${port} of ${host} is in use by another program; stop that one, or choose another ` +
        'port with --listen or ENTREPOT_LISTEN'
      )
    case 'EACCES':
    case 'EPERM':
      return `this user may not open port ${port}; ports from 1024 on are free to all`
    case 'EADDRNOTAVAIL':
      return `${host} is no address of this machine; 0.0.0.0 stands for all that it has`
    default:
      return `cannot listen on ${host}:${port}${code ? ` (${code})` : ': the name is unknown'}`
  }
}
