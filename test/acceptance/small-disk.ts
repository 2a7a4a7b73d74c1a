import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endWithThisProcess } from './end-with-this-process.ts'

/** A file system of its own, of a given size, that a test may fill to the last byte. */
export type SmallDisk = {
  /** Where it is mounted. */
  readonly folder: string
  /** Takes every byte that is left, so that not even one more can be written. */
  readonly fill: () => void
  /** Gives back what `fill` took. */
  readonly relieve: () => void
  readonly remove: () => void
}

const mount = (folder: string, megabytes: number): boolean => {
  const options = `size=${megabytes}m,mode=0700`
  return spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'none', folder]).status === 0
}

/** Why there can be none; undefined: there can. */
export const whyNoSmallDisk = (): string | undefined => {
  if (process.platform !== 'linux') return 'Linux'
  if (process.getuid?.() !== 0) return 'the rights of root'
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-mount-'))
  const works = mount(folder, 1)
  if (works) spawnSync('umount', [folder])
  rmSync(folder, { recursive: true, force: true })
  return works ? undefined : 'the right to mount'
}

export const createSmallDisk = (megabytes: number): SmallDisk => {
  const parent = mkdtempSync(join(tmpdir(), 'entrepot-disk-'))
  const folder = join(parent, 'data')
  mkdirSync(folder)
  if (!mount(folder, megabytes)) throw new Error(`no tmpfs could be mounted on ${folder}`)
  endWithThisProcess('umount -l "$1/data" 2>/dev/null; rm -rf "$1"', parent)
  const filler = join(folder, 'filler')
  return {
    folder,
    fill() {
      const file = openSync(filler, 'a')
      for (const size of [1 << 20, 4_096, 1]) {
        try {
          while (writeSync(file, new Uint8Array(size)) === size);
        } catch (error) {
          if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
        }
      }
      closeSync(file)
      const { bavail } = statfsSync(folder)
      if (bavail > 0) throw new Error(`${bavail} blocks are still free`)
    },
    relieve: () => rmSync(filler, { force: true }),
    remove() {
      spawnSync('umount', ['-l', folder])
      rmSync(parent, { recursive: true, force: true })
    },
  }
}
