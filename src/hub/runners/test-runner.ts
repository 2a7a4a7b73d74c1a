import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { createJobQueue } from '../../jobs/queue.ts'
import type { Clock } from '../../lib/clock.ts'
import { newSecret } from '../../lib/ids.ts'
import { silentLog } from '../../lib/log.ts'
import { hashSecret } from '../../lib/secrets.ts'
import type { Db } from '../../store/db/database.ts'
import { enrol } from './enrolment.ts'
import { PublicKey, RUNNER_CREDENTIAL_PREFIX, type RunnerPublicKey } from './protocol.ts'
import { createRunners } from './runners.ts'
import { createRunnerService, type RunnerService } from './service.ts'

/** As faces have it; nothing is copied. */
export const testRunnerService = (deps: { db: Db; clock: Clock }): RunnerService =>
  createRunnerService({
    ...deps,
    queue: createJobQueue(deps),
    log: silentLog,
    issueCopyToken: async () => {
      throw new Error('nothing is copied here')
    },
  })

export interface TestRunner {
  id: string
  privateKey: JWK
  publicKey: RunnerPublicKey
  credential: string
  /** `Authorization` with it. */
  header: string
}

export async function newRunnerKey(): Promise<{ privateKey: JWK; publicKey: RunnerPublicKey }> {
  const pair = await generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true })
  const { kty, crv, x, y } = await exportJWK(pair.publicKey)
  return {
    privateKey: await exportJWK(pair.privateKey),
    publicKey: PublicKey.parse({ kty, crv, x, y }),
  }
}

/** A runner that has enrolled just now. */
export async function addRunner(
  { db, clock }: { db: Db; clock: Clock },
  id: string,
  project: number | null = null,
): Promise<TestRunner> {
  const { token } = await createRunners({ db, clock }).create({ id, project, createdBy: null })
  return enrolRunner({ db, clock }, token)
}

export async function enrolRunner(
  deps: { db: Db; clock: Clock },
  token: string,
): Promise<TestRunner> {
  const keys = await newRunnerKey()
  const credential = `${RUNNER_CREDENTIAL_PREFIX}${newSecret()}`
  const { id } = await enrol(deps, {
    token,
    publicKey: keys.publicKey,
    credentialHash: hashSecret(credential),
    version: 'test',
  })
  return { id, ...keys, credential, header: `Bearer ${credential}` }
}
