import type { Login } from '../../client/provider.ts'
import { shellQuote } from './shell-quote.ts'

/** What Zadig's build scripts find in their environment. */
export interface BuildEnv {
  IMAGE: string
  DOCKER_REGISTRY_HOST: string
  DOCKER_REGISTRY_NAMESPACE: string
  DOCKER_REGISTRY_AK: string
  DOCKER_REGISTRY_SK: string
}

/** AK and SK are what `docker login` takes, also where the registry's own keys are others. */
export function buildEnv(use: {
  image: string | undefined
  host: string
  namespace: string
  login: Login | undefined
}): BuildEnv {
  return {
    IMAGE: use.image ?? '',
    DOCKER_REGISTRY_HOST: use.host,
    DOCKER_REGISTRY_NAMESPACE: use.namespace,
    DOCKER_REGISTRY_AK: use.login?.username ?? '',
    DOCKER_REGISTRY_SK: use.login?.password ?? '',
  }
}

/** For `eval "$(…)"` in a POSIX shell; programs that it starts see the variables too. */
export function exportLines(env: BuildEnv): string {
  return Object.entries(env)
    .map(([name, value]: [string, string]) => `export ${name}=${shellQuote(value)}\n`)
    .join('')
}
