import { open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { newHex, newSecret } from '../../lib/ids.ts'
import { PublicKey, RUNNER_CREDENTIAL_PREFIX } from '../runners/protocol.ts'

/*
 * What a runner keeps in its data folder: its key, which never leaves it, and what it proves itself
 * with. A credential is in the file before the hub hears of it, so that nothing that breaks off locks
 * the runner out: at the next start both are tried.
 */

const FILE = 'runner.json'

const State = z.object({
  /** Where it has enrolled; null: nowhere yet. */
  hub: z.string().nullable(),
  id: z.string().nullable(),
  privateKey: PublicKey.extend({ d: z.string() }),
  credential: z.string(),
  /** One that the hub may know already. */
  nextCredential: z.string().nullable(),
  /** sha256 of the enrolment token that was used, so that another one is told from it. */
  usedToken: z.string().nullable(),
})

export type RunnerState = z.output<typeof State>

export const newCredential = (): string => `${RUNNER_CREDENTIAL_PREFIX}${newSecret()}`

/** What is in the folder, or something new that is not stored yet. @throws AppError internal */
export async function loadState(folder: string): Promise<RunnerState> {
  const file = join(folder, FILE)
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return newState()
  try {
    return State.parse(JSON.parse(text))
  } catch (error) {
    throw new AppError(
      'internal',
      `${file} is damaged; delete it, and enrol the runner again with a new token`,
      {},
      error,
    )
  }
}

async function newState(): Promise<RunnerState> {
  const { privateKey } = await generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true })
  const { kty, crv, x, y, d } = await exportJWK(privateKey)
  return State.parse({
    hub: null,
    id: null,
    privateKey: { kty, crv, x, y, d },
    credential: newCredential(),
    nextCredential: null,
    usedToken: null,
  })
}

/** Replaces the file at once, readable by its owner alone, and on the disk when it returns. */
export async function saveState(folder: string, state: RunnerState): Promise<void> {
  const file = join(folder, FILE)
  const draft = `${file}.${newHex(4)}`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(`${JSON.stringify(state)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
  const entry = await open(dirname(file), 'r')
  await entry.sync()
  await entry.close()
}
