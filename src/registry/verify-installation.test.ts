import { expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../lib/config.ts'
import { AppError } from '../lib/errors.ts'
import { verifyInstallation } from './verify.ts'

test('a folder without an installation is refused, and stays as it was', async () => {
  const root = mkdtempSync(join(tmpdir(), 'entrepot-verify-'))
  try {
    const data = join(root, 'mistyped')
    const { config } = loadConfig({ flags: { data }, environment: {}, folder: root })
    const refused = verifyInstallation(config, { deep: false })
    await expect(refused).rejects.toBeInstanceOf(AppError)
    await expect(refused).rejects.toThrow(data)
    expect(existsSync(data)).toBe(false)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})
