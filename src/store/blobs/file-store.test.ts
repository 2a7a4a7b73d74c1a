import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blobStoreContract } from './blob-store.contract.ts'
import { openFileStore } from './file-store.ts'

blobStoreContract('files', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-blobs-'))
  return {
    store: await openFileStore(folder),
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  }
})
