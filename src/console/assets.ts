import { join } from 'node:path'
import { z } from 'zod'

/*
 * What the console is made of, wherever it lies: in a folder that a build made, or inside the
 * executable. Names carry a hash of their content, so a name never means anything else.
 */

/** A file of the console, as it is and compressed ahead. */
export interface ConsoleAsset {
  contentType: string
  identity: Blob
  gzip?: Blob | undefined
  br?: Blob | undefined
}

export interface ConsoleAssets {
  /** The page that every address of the console answers with. */
  index: ConsoleIndex
  /** By its name in `/assets/`. */
  find(name: string): ConsoleAsset | undefined
}

export interface ConsoleIndex {
  /** The first script, a module. */
  entry: string
  /** What it imports at once. */
  preload: readonly string[]
  icon: string
  styles: readonly string[]
}

const File = z.object({
  contentType: z.string(),
  /** Which forms there are beside the plain one. */
  gzip: z.boolean(),
  br: z.boolean(),
})

/** `current.json` of a build: which of its folders is the newest, and what is in it. */
export const consoleManifest = z.object({
  /** Follows from the sources: another one means another console. */
  key: z.string(),
  folder: z.string(),
  entry: z.string(),
  preload: z.array(z.string()),
  icon: z.string(),
  styles: z.array(z.string()),
  files: z.record(z.string(), File),
})

export type ConsoleManifest = z.output<typeof consoleManifest>

/** The manifest of the newest build in `folder`; undefined: there is none that can be read. */
export async function readConsoleManifest(folder: string): Promise<ConsoleManifest | undefined> {
  try {
    return consoleManifest.parse(await Bun.file(join(folder, 'current.json')).json())
  } catch {
    return undefined
  }
}

/** The console that a build left in `folder`; undefined: none yet. */
export async function openConsoleFolder(folder: string): Promise<ConsoleAssets | undefined> {
  const manifest = await readConsoleManifest(folder)
  if (!manifest) return undefined
  const { entry, preload, icon, styles } = manifest
  const files = new Map(
    Object.entries(manifest.files).map(([name, { contentType, gzip, br }]) => {
      const path = join(folder, manifest.folder, name)
      const asset: ConsoleAsset = {
        contentType,
        identity: Bun.file(path),
        gzip: gzip ? Bun.file(`${path}.gz`) : undefined,
        br: br ? Bun.file(`${path}.br`) : undefined,
      }
      return [name, asset]
    }),
  )
  return { index: { entry, preload, icon, styles }, find: (name) => files.get(name) }
}
