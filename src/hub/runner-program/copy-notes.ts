import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { newHex } from '../../lib/ids.ts'

/*
 * How far copies are, in the data folder of the runner: so one that is killed goes on in the middle
 * of a blob. The hub is not told, since what opens an upload in a registry is a kind of password.
 */

const FOLDER = 'copies'
/** Transfers that nobody took up again for so long are not. */
const KEPT_MS = 7 * 24 * 3_600_000

const Note = z.object({
  /** Which copy it is of: a number may come again where the hub was set up anew. */
  what: z.string(),
  text: z.string(),
})

export interface CopyNote {
  /** What was written last; undefined: nothing. */
  found: string | undefined
  /** Does nothing when it is what was written last. */
  write(text: string): Promise<void>
  remove(): Promise<void>
}

export interface CopyNotes {
  of(transfer: number, what: string): Promise<CopyNote>
}

/** Forgets what is old, now and with every copy that begins: a program may run for years. */
export async function createCopyNotes(data: string, clock: Clock): Promise<CopyNotes> {
  const folder = join(data, FOLDER)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await forget((name, age) => age > KEPT_MS || !name.endsWith('.json'))

  async function forget(isOver: (name: string, age: number) => boolean): Promise<void> {
    for (const name of await readdir(folder).catch(() => [])) {
      const file = join(folder, name)
      // Another copy may have just renamed or removed it.
      const found = await stat(file).catch(() => undefined)
      if (found && isOver(name, clock() - found.mtimeMs)) await rm(file, { force: true })
    }
  }

  return {
    async of(transfer, what) {
      await forget((_, age) => age > KEPT_MS)
      const file = join(folder, `${transfer}.json`)
      const found = await readNote(file)
      const before = found?.what === what ? found.text : undefined
      let last = before
      let writing: Promise<void> = Promise.resolve()

      async function replace(text: string): Promise<void> {
        if (text === last) return
        const draft = `${file}.${newHex(4)}`
        const handle = await open(draft, 'wx', 0o600)
        try {
          await handle.writeFile(JSON.stringify({ what, text }))
        } finally {
          await handle.close()
        }
        await rename(draft, file)
        last = text
      }

      return {
        found: before,
        write(text) {
          // In turn, so that an older state never overwrites a newer one.
          const next = writing.then(() => replace(text))
          writing = next.catch(() => {})
          return next
        },
        async remove() {
          await writing
          await rm(file, { force: true })
        },
      }
    },
  }
}

/** One that cannot be read costs no more than what it knew. */
async function readNote(file: string): Promise<z.output<typeof Note> | undefined> {
  try {
    return Note.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    return undefined
  }
}
