import type { Login } from '../../client/provider.ts'
import { shellQuote } from './shell-quote.ts'

/* What docker, podman, skopeo, crane, helm and oras need to be signed in. */

/** `~/.docker/config.json`; the same form is the content of a Kubernetes pull secret. */
export interface DockerConfig {
  auths: Record<string, { username: string; password: string; auth: string }>
}

/**
 * @param loginServer of `registryHostOf`
 * @param login undefined: the registry takes everybody
 */
export function dockerConfig(loginServer: string, login: Login | undefined): DockerConfig {
  if (!login) return { auths: {} }
  const { username, password } = login
  const auth = Buffer.from(`${username}:${password}`).toString('base64')
  return { auths: { [loginServer]: { username, password, auth } } }
}

/**
 * A line for a POSIX shell that signs docker in. `printf` is part of every shell, so the password is
 * in the arguments of no process.
 */
export function dockerLoginCommand(loginServer: string, login: Login | undefined): string {
  if (!login) return ': # this registry takes everybody, without a login\n'
  const { username, password } = login
  return (
    `printf %s ${shellQuote(password)} | ` +
    `docker login --username=${shellQuote(username)} --password-stdin ${shellQuote(loginServer)}\n`
  )
}
