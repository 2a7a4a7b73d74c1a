import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { takeFolderLock } from './folder-lock.ts'

const root = mkdtempSync(join(tmpdir(), 'entrepot-lock-'))
afterAll(() => rmSync(root, { recursive: true }))

const HOLDER = `
  const { takeFolderLock } = await import(process.env.LOCK_MODULE)
  takeFolderLock(process.env.LOCK_FOLDER)
  Bun.gc(true)
  console.log('taken')
  setInterval(() => {}, 1000)
`

async function startHolder(folder: string) {
  const env = {
    ...process.env,
    LOCK_MODULE: join(import.meta.dir, 'folder-lock.ts'),
    LOCK_FOLDER: folder,
  }
  const holder = Bun.spawn([process.execPath, '-e', HOLDER], {
    env,
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const { value } = await holder.stdout.getReader().read()
  expect(new TextDecoder().decode(value)).toBe('taken\n')
  return holder
}

test('the folder is made for its owner only', () => {
  const folder = join(root, 'new', 'data')
  takeFolderLock(folder).release()
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  expect(statSync(join(folder, 'lock.db')).mode & 0o777).toBe(0o600)
})

test('another process is refused until the first one is gone, also by kill -9', async () => {
  const folder = join(root, 'held')
  const holder = await startHolder(folder)
  try {
    expect(() => takeFolderLock(folder)).toThrow(/in use by another Entrepot; stop that one first/)
  } finally {
    holder.kill('SIGKILL')
  }
  await holder.exited
  takeFolderLock(folder).release()
})

test('a released lock can be taken again', () => {
  const folder = join(root, 'again')
  const lock = takeFolderLock(folder)
  expect(() => takeFolderLock(folder)).toThrow(/in use/)
  lock.release()
  lock.release()
  takeFolderLock(folder).release()
})

test('a folder that cannot be made is told with its name', () => {
  const file = join(root, 'a-file')
  writeFileSync(file, '')
  expect(() => takeFolderLock(join(file, 'data'))).toThrow(
    /a-file\/data cannot be used \(ENOTDIR\)/,
  )
})
