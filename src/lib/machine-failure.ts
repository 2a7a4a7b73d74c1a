import { codeOf } from './code-of.ts'

/** Failures of the machine rather than of the program, by the codes of Node and of SQLite. */
const SENTENCES: Record<string, string> = {
  EACCES: 'this user may not do that there',
  EPERM: 'this user may not do that there',
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is no folder',
  EISDIR: 'this is a folder',
  EEXIST: 'there is something else of this name',
  ENAMETOOLONG: 'the path is too long',
  ELOOP: 'its links lead in a circle',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the share of the disk that this user has is full',
  EROFS: 'the file system is read-only',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open on this machine',
  EIO: 'the disk reports an error',
  SQLITE_NOTADB: 'the file is no database of SQLite, or is damaged',
  SQLITE_CORRUPT: 'the file is damaged; restore it from a backup',
  SQLITE_CANTOPEN: 'the file cannot be opened; see that it is one, and whose it is',
  SQLITE_PERM: 'this user may not open the file',
  SQLITE_READONLY: 'this user may not write to it or to its folder',
  SQLITE_FULL: 'the disk is full',
  SQLITE_BUSY: 'somebody else holds it',
  SQLITE_IOERR: 'the disk reports an error',
}

/**
 * What went wrong on the machine, for the person in front of it, with the path where it is known;
 * undefined for everything that is not of this kind.
 */
export function describeMachineFailure(error: unknown): string | undefined {
  const code = codeOf(error)
  // SQLite has longer ones too: SQLITE_READONLY_DIRECTORY.
  const base = /^SQLITE_[A-Z]+/.exec(code)?.[0] ?? code
  const sentence = SENTENCES[base]
  if (sentence === undefined) return undefined
  const path = error instanceof Error && 'path' in error ? String(error.path) : ''
  return `${path === '' ? '' : `${path}: `}${sentence} (${code})`
}
