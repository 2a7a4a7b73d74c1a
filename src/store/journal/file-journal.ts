import { mkdir, open, readdir, readFile, rename, rmdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { codeOf } from '../../lib/code-of.ts'
import { AppError } from '../../lib/errors.ts'
import { newHex } from '../../lib/ids.ts'
import { onDisk } from '../blobs/file-errors.ts'
import type { JournalStore } from './journal-store.ts'

const NAME = /^[0-9a-f]+\/[0-9a-z.-]+$/
/** Of what is being written, and of what a power loss left. */
const TEMPORARY = '.new'

/** Keeps the journal as files `<folder>/<lineage>/<file>`. Makes the folder with the first one. */
export function openFileJournal(folder: string): JournalStore {
  function pathOf(name: string): string {
    if (!NAME.test(name)) throw new AppError('internal', `not a name of the journal: ${name}`)
    return join(folder, name)
  }

  return {
    async put(name, bytes) {
      const path = pathOf(name)
      const temporary = `${path}-${newHex(4)}${TEMPORARY}`
      const made = await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      await onDisk(async () => {
        const file = await open(temporary, 'wx', 0o600)
        try {
          await file.writeFile(bytes)
          await file.sync()
        } finally {
          await file.close()
        }
        // A reader sees all of it or nothing.
        await rename(temporary, path)
      }).catch(async (error: unknown) => {
        await unlink(temporary).catch(() => {})
        throw error
      })
      await syncFolder(dirname(path))
      if (made === undefined) return
      // The folders that hold the new ones, up to the one that was there before.
      await syncFolder(folder)
      if (made === folder) await syncFolder(dirname(folder))
    },

    async get(name) {
      try {
        return await readFile(pathOf(name))
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined
        throw error
      }
    },

    async *list() {
      for (const lineage of await namesIn(folder)) {
        for (const file of await namesIn(join(folder, lineage))) {
          if (!file.endsWith(TEMPORARY)) yield `${lineage}/${file}`
        }
      }
    },

    async remove(names) {
      const folders = new Set<string>()
      for (const name of names) {
        const path = pathOf(name)
        folders.add(dirname(path))
        await unlink(path).catch((error: unknown) => {
          if (codeOf(error) !== 'ENOENT') throw error
        })
      }
      // Only an empty one goes.
      for (const path of folders) await rmdir(path).catch(() => {})
    },
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return []
    throw error
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
