import type { Login } from '../../client/provider.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Also, Db } from '../../store/db/database.ts'
import { SELF } from '../registries/record.ts'
import type { OpenedRegistry, Registries } from '../registries/registries.ts'
import { resolveRegistry } from '../registries/scope.ts'
import { buildEnv, exportLines } from './build-env.ts'
import { credentialProviderConfig } from './credential-provider.ts'
import { dockerConfig, dockerLoginCommand } from './docker-login.ts'
import { handoutImage } from './handout-image.ts'
import type { Handout, HandoutCaller, HandoutRequest, Refresher } from './handout-types.ts'
import { pullSecret, type SecretOwner } from './pull-secret.ts'
import { refreshSchedule } from './refresh-schedule.ts'
import { refresherCronJob } from './refresher-cron-job.ts'
import { cleanPath, type RegistryPlace, registryHostOf } from './registry-host.ts'

/** What was handed out, for the audit. */
export interface HandedOut {
  registry: { id: string; name: string }
  expiresAt: number | null
}

export interface Handouts {
  /**
   * Everything that a step of a pipeline needs to use a registry. That the caller may have it was
   * asked before; that the project may use the registry is asked here, every time. Nothing is
   * answered that is not written down first.
   *
   * @param also in the transaction that remembers the hand-out
   * @throws AppError invalid_input, not_found, denied (out of scope), and what the provider says
   *   when it gives no login
   */
  handOut(request: HandoutRequest, caller: HandoutCaller, also: Also<HandedOut>): Promise<Handout>
}

export interface HandoutsDeps {
  db: Db
  clock: Clock
  registries: Pick<Registries, 'resolve' | 'open' | 'recordUse'>
  /** A login for docker, made just now where they expire; undefined: anonymous. */
  loginTo: (opened: OpenedRegistry) => Promise<Login | undefined>
}

/** Hands out the means to use registries. */
export function createHandouts({ db, clock, registries, loginTo }: HandoutsDeps): Handouts {
  async function handOutOwn(
    request: HandoutRequest,
    caller: HandoutCaller,
    also: Also<HandedOut>,
  ): Promise<Handout> {
    const place: RegistryPlace = {
      provider: 'native',
      address: caller.origin,
      namespace: request.project.name,
    }
    const image = handoutImage(place, request, clock())
    const login = await caller.ownLogin()
    const owner = { id: SELF, name: 'entrepot', isDefault: false }
    await db.transaction((tx) => also(tx, handedOut({ id: SELF, name: SELF }, login)))
    return render({ ...request, registry: SELF }, { owner, place, image, login, caller }, clock())
  }

  return {
    async handOut(request, caller, also) {
      if (request.registry?.toLowerCase() === SELF) return handOutOwn(request, caller, also)
      const { project, purpose, environment } = request
      const found = await registries.resolve(project, request.registry)
      const opened = await registries.open(found.id)
      const owner = opened.registry
      const { provider, namespace } = owner
      const place = { provider, namespace, address: opened.endpoint.address }
      // Before the provider is asked for a login that nobody would get.
      const image = handoutImage(place, request, clock())
      const login = await loginTo(opened)
      const use = {
        registry: owner.id,
        project: project.id,
        purpose,
        environment,
        account: caller.account,
        secretChangedAt: owner.secretChangedAt,
      }
      await registries.recordUse(use, async (tx) => {
        // Between the look and now the provider was asked, which takes its time.
        await resolveRegistry(tx, project, owner.id)
        await also(tx, handedOut(owner, login))
      })
      return render(request, { owner, place, image, login, caller }, clock())
    },
  }
}

function handedOut({ id, name }: { id: string; name: string }, login: Login | undefined) {
  return { registry: { id, name }, expiresAt: login?.expiresAt ?? null }
}

interface Material {
  owner: SecretOwner
  place: RegistryPlace
  image: string | null
  login: Login | undefined
  caller: HandoutCaller
}

function render(request: HandoutRequest, material: Material, now: number): Handout {
  const { owner, place, image, login, caller } = material
  const { host, path, loginServer } = registryHostOf(place)
  const namespace = [path, cleanPath(place.namespace)].filter((part) => part !== '').join('/')
  const config = dockerConfig(loginServer, login)
  const { kubernetesNamespace, secretName } = request
  const expiresAt = login?.expiresAt
  const secret = login && pullSecret(owner, config, { secretName, kubernetesNamespace, expiresAt })
  const env = buildEnv({ image: image ?? undefined, host, namespace, login })
  return {
    registry: {
      id: owner.id,
      name: owner.name,
      provider: place.provider,
      host,
      namespace,
      isDefault: owner.isDefault,
    },
    purpose: request.purpose,
    environment: request.environment ?? null,
    image,
    login: login
      ? {
          server: loginServer,
          username: login.username,
          password: login.password,
          expiresAt: expiresAt ?? null,
        }
      : null,
    dockerConfig: config,
    pullSecret: secret ?? null,
    refresher:
      secret && expiresAt !== undefined && owner.id !== SELF
        ? refresherFor(
            request,
            { ...caller, host, secretName: secret.metadata.name },
            expiresAt,
            now,
          )
        : null,
    env,
    shell: { env: exportLines(env), login: dockerLoginCommand(loginServer, login) },
  }
}

/** The job asks as it was asked now: who took the default gets the default, whichever it then is. */
function refresherFor(
  { project, registry, purpose, environment, kubernetesNamespace }: HandoutRequest,
  { origin, host, secretName }: { origin: string; host: string; secretName: string },
  expiresAt: number,
  now: number,
): Refresher {
  const schedule = refreshSchedule(expiresAt - now, `${project.name}/${secretName}`)
  const asked = [
    ...(registry === undefined ? [] : ['--registry', registry]),
    ...['--purpose', purpose],
    ...(environment === undefined ? [] : ['--environment', environment]),
  ]
  return {
    expiresAt,
    everySeconds: schedule.everyMs / 1000,
    cronJob: refresherCronJob({
      entrepotUrl: origin,
      project: project.name,
      request: {
        purpose,
        ...(registry === undefined ? {} : { registry }),
        ...(environment === undefined ? {} : { environment }),
        kubernetes: { secretName },
      },
      secretName,
      kubernetesNamespace,
      schedule,
    }),
    credentialProvider: credentialProviderConfig({
      entrepotUrl: origin,
      host,
      args: ['use', project.name, ...asked, '--format', 'kubelet'],
      schedule,
    }),
  }
}
