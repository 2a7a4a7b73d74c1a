import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Ping } from '../../client/authorization.ts'
import type { Endpoint } from '../../client/provider.ts'
import type { RemoteRegistry } from '../../client/remote-registry.ts'
import { pullScope } from '../../client/scopes.ts'
import type { Clock } from '../../lib/clock.ts'
import { isAppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import { adviceFor, reasonOf, sentenceOf, stepOfFailure } from './advice.ts'
import {
  CHECK_STEPS,
  type CheckStep,
  type CheckStepName,
  type ConnectionReport,
  reportOf,
} from './report.ts'
import { tokenExpiry } from './token-expiry.ts'

/** Signed requests are refused from some minutes on, tokens look expired before they are. */
const SKEW_WARNING_MS = 60_000
const LOW_BUDGET = 0.1
/** Nothing is stored under it: the upload is cancelled. */
const TRIAL_REPOSITORY = 'entrepot-connection-test'

interface NoteMore {
  ms?: number | null
  advice?: string
  reason?: CheckStep['says']
}

/** Tries everything that one wants of a registry, step by step, and says what to do. */
export async function checkConnection({
  remote,
  endpoint,
  clock,
  signal,
}: {
  remote: RemoteRegistry
  endpoint: Endpoint
  clock: Clock
  signal?: AbortSignal | undefined
}): Promise<ConnectionReport> {
  const done = new Map<CheckStepName, CheckStep>()
  const note = (
    step: CheckStepName,
    result: CheckStep['result'],
    message: string,
    { ms = null, advice = '', reason }: NoteMore = {},
  ) => done.set(step, { step, result, ms, message, advice, ...(reason ? { says: reason } : {}) })
  const fail = (step: CheckStepName, error: unknown, ms: number | null) =>
    note(step, 'failed', sentenceOf(error), {
      ms,
      advice: adviceFor(error, endpoint),
      reason: reasonOf(error),
    })

  /** What the work gave, or how it failed; a test that is not wanted any more ends it all. */
  async function timed<T>(
    work: () => Promise<T>,
  ): Promise<{ ms: number; value?: T; error?: unknown }> {
    const begun = performance.now()
    const ms = () => Math.round(performance.now() - begun)
    try {
      const value = await work()
      return { ms: ms(), value }
    } catch (error) {
      signal?.throwIfAborted()
      return { ms: ms(), error }
    }
  }

  async function reach(): Promise<Ping | undefined> {
    const { hostname } = new URL(`https://${remote.host}`)
    const bare = hostname.replace(/^\[|\]$/g, '')
    const named = await timed(async () => isIP(bare) !== 0 || (await lookup(bare)))
    const hasAddress = because('check_has_address', { host: bare })
    const answers = because('check_answers', { host: remote.host })
    if (!('error' in named)) {
      note('resolve', 'ok', `${bare} has an address`, { ms: named.ms, ...hasAddress })
    }
    const { ms, value, error } = await timed(() => remote.ping({ signal }))
    if (value) {
      if (!done.has('resolve')) note('resolve', 'ok', `${bare} has an address`, hasAddress)
      note('connect', 'ok', `${remote.host} answers`, { ms, ...answers })
      noteTls()
      return value
    }
    const step = stepOfFailure(error)
    if (step !== 'resolve') {
      note('resolve', 'ok', `${bare} has an address`, { ms: named.ms, ...hasAddress })
    }
    if (step === 'tls' || step === 'challenge') {
      note('connect', 'ok', `${remote.host} answers`, answers)
    }
    if (step === 'challenge') noteTls()
    fail(step, error, step === 'resolve' ? named.ms : ms)
    return undefined
  }

  function noteTls() {
    if (endpoint.address.startsWith('http:')) {
      const advice = 'give an https:// address where the registry has one'
      const keyless = endpoint.accessKey === ''
      const message = `plain HTTP: ${keyless ? 'what is read' : 'the password'} can be seen on the way`
      return note('tls', 'warning', message, { advice, ...because('check_plain_http', {}) })
    }
    if (!endpoint.verifyTls) {
      const advice = 'give the certificate of its authority and switch verification on'
      return note('tls', 'warning', 'encrypted, but the certificate is not verified', {
        advice,
        ...because('check_not_verified', {}),
      })
    }
    const root = endpoint.caCertificate === undefined ? 'the system trusts' : 'was given'
    note(
      'tls',
      'ok',
      `its certificate is good, by an authority that ${root}`,
      because('check_certificate_good', {}),
    )
  }

  /** @returns whether it makes sense to go on */
  async function logIn({ status, challenges }: Ping): Promise<boolean> {
    const schemes = challenges.map(({ scheme }) => scheme)
    if (status === 200)
      note('challenge', 'ok', 'reads without a login', because('check_reads_freely', {}))
    else if (schemes.length > 0) {
      const wants = because('check_wants_login', { schemes: schemes.join(', ') })
      note('challenge', 'ok', `wants ${schemes.join(' or ')}`, wants)
    } else {
      const message = 'wants a login, but does not say which kind'
      note('challenge', 'warning', message, because('check_wants_some_login', {}))
    }

    const {
      ms,
      value: login,
      error,
    } = await timed(async () => {
      const made = await remote.login({ signal })
      await remote.authorize([], { signal })
      return made
    })
    if (error !== undefined) {
      fail('login', error, ms)
      return false
    }
    if (!login) {
      note(
        'login',
        'skipped',
        'no keys are stored: it is used anonymously',
        because('check_anonymous', {}),
      )
      return true
    }
    const until =
      login.expiresAt === undefined ? '' : `, renewed before ${isoTime(login.expiresAt)}`
    note('login', 'ok', `logged in as ${login.username}${until}`, {
      ms,
      ...because('check_logged_in', { name: login.username }),
    })
    return true
  }

  /** A repository to try pulling from; undefined: none is known. */
  async function look(): Promise<string | undefined> {
    const { namespace } = endpoint
    const { ms, value, error } = await timed(async () => {
      for await (const page of remote.listRepositories({ namespace, signal })) {
        if (page.length > 0) return page
      }
      return []
    })
    if (value) {
      const where = namespace === undefined ? '' : ` in ${namespace}`
      note(
        'namespace',
        'ok',
        value.length === 0 ? `no repository yet${where}` : `lists repositories${where}`,
        { ms, ...because(value.length === 0 ? 'check_no_repository' : 'check_listed', {}) },
      )
      return value[0]
    }
    if (isAppError(error, 'rate_limited')) {
      note('namespace', 'warning', sentenceOf(error), {
        ms,
        advice: adviceFor(error, endpoint),
        reason: reasonOf(error),
      })
    } else {
      const advice =
        'images can be used by name; browsing and inventory need an account that may list'
      note('namespace', 'warning', `repositories cannot be listed: ${sentenceOf(error)}`, {
        ms,
        advice,
        ...because('check_not_listed', {}),
      })
    }
    return undefined
  }

  async function tryPull(repository: string | undefined) {
    if (repository === undefined) {
      return note(
        'pull',
        'skipped',
        'no repository is known to try it with',
        because('check_nothing_to_pull', {}),
      )
    }
    const { ms, error } = await timed(async () => {
      await remote.authorize([pullScope(repository)], { signal })
      for await (const _ of remote.listTags(repository, { signal })) return
    })
    if (error === undefined)
      note('pull', 'ok', `may pull from ${repository}`, {
        ms,
        ...because('check_may_pull', { repository }),
      })
    else fail('pull', error, ms)
  }

  async function tryPush(repository: string | undefined) {
    const { namespace } = endpoint
    const trial =
      repository ??
      (namespace === undefined ? TRIAL_REPOSITORY : `${namespace}/${TRIAL_REPOSITORY}`)
    const { ms, error } = await timed(() => remote.tryUpload(trial, { signal }))
    if (error === undefined)
      return note('push', 'ok', `may push to ${trial}`, {
        ms,
        ...because('check_may_push', { repository: trial }),
      })
    const advice =
      'fine for a registry that is only pulled from; else give the account the right to push'
    note('push', 'warning', `may not push: ${sentenceOf(error)}`, {
      ms,
      advice,
      ...because('check_may_not_push', {}),
    })
  }

  function noteObserved() {
    const { clockSkew, budget } = remote.observed()
    if (clockSkew === undefined)
      note(
        'clock',
        'skipped',
        'the registry does not tell its time',
        because('check_clock_unknown', {}),
      )
    else if (Math.abs(clockSkew) < SKEW_WARNING_MS)
      note('clock', 'ok', 'both clocks agree', because('check_clocks_agree', {}))
    else {
      const seconds = Math.round(Math.abs(clockSkew) / 1000)
      const message = `its clock is ${seconds} s ${clockSkew > 0 ? 'ahead of' : 'behind'} ours`
      note('clock', 'warning', message, {
        advice: 'set both clocks by NTP: logins depend on them',
        ...because('check_clock_off', { seconds }),
      })
    }
    if (budget?.remaining === undefined) {
      return note(
        'rateLimit',
        'skipped',
        'the registry tells no limit of requests',
        because('check_no_limit', {}),
      )
    }
    const of = budget.limit === undefined ? '' : ` of ${budget.limit}`
    const low = budget.limit !== undefined && budget.remaining < budget.limit * LOW_BUDGET
    const message = `${budget.remaining}${of} requests are left`
    const left = because('check_requests_left', { remaining: budget.remaining })
    if (low)
      note('rateLimit', 'warning', message, {
        advice: 'log in, or use an account with a higher limit',
        ...left,
      })
    else note('rateLimit', 'ok', message, left)
  }

  const ping = await reach()
  if (ping && (await logIn(ping))) {
    const repository = await look()
    await tryPull(repository)
    await tryPush(repository)
  }
  if (ping) noteObserved()
  const steps = CHECK_STEPS.map(
    (step): CheckStep =>
      done.get(step) ?? {
        step,
        result: 'skipped',
        ms: null,
        message: 'not reached',
        advice: '',
        says: because('check_not_reached', {}).reason,
      },
  )
  return reportOf(clock(), steps, tokenExpiry(endpoint.secretKey))
}

const isoTime = (ms: number): string => new Date(ms).toISOString()
