import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { newHex } from './ids.ts'

/** Writes a small file so that readers, also after a power loss, find the old or the new content. */
export async function writeWhole(path: string, content: string): Promise<void> {
  const draft = `${path}.${newHex(4)}`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
  const folder = await open(dirname(path), 'r')
  await folder.sync().finally(() => folder.close())
}
