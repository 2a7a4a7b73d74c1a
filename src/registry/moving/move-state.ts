import { readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeWhole } from '../../lib/whole-file.ts'

/** In the data folder: how far the blobs of a move are. */
const STATE_FILE = 'moving.json'

const stateSchema = z.object({
  /** The storage that they are moved to; a move to another one begins anew. */
  to: z.string(),
  /** Contents up to this id were copied, all but the damaged ones. */
  after: z.number(),
  damaged: z.array(z.number()),
})

export type MoveState = z.infer<typeof stateSchema>

export async function readState(dataFolder: string): Promise<MoveState | undefined> {
  const text = await readFile(join(dataFolder, STATE_FILE), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : stateSchema.parse(JSON.parse(text))
}

export function writeState(dataFolder: string, state: MoveState): Promise<void> {
  return writeWhole(join(dataFolder, STATE_FILE), JSON.stringify(state))
}

export async function removeState(dataFolder: string): Promise<void> {
  await unlink(join(dataFolder, STATE_FILE)).catch(() => {})
}
