import { codeOf } from '../../lib/code-of.ts'
import { AppError, isAppError } from '../../lib/errors.ts'
import { markUndone } from './undone.ts'

/* What PostgreSQL and its driver say, in the words of this program. */

const LOST = /^Connection terminated|is not queryable$|^Client has encountered a connection error/
const NO_PLACE = 'timeout exceeded when trying to connect'
const NO_ANSWER = 'Query read timeout'

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Serialisation failure or deadlock: the same work may succeed when tried again. */
export function isConflict(error: unknown): boolean {
  return ['40001', '40P01'].includes(codeOf(error)) || isOutdated(error)
}

/** A migration changed what a prepared statement answers: it has to be prepared anew. */
export function isOutdated(error: unknown): boolean {
  const isPlan = error instanceof Error && 'routine' in error
  return codeOf(error) === '0A000' && isPlan && error.routine === 'RevalidateCachedQuery'
}

/** A lock was not had within `lock_timeout`; also after `wireError`. */
export function isLockTimeout(error: unknown): boolean {
  return codeOf(error instanceof AppError ? error.cause : error) === '55P03'
}

/** The connection must not be used again: it ended, or its server no longer takes changes. */
export function isBroken(error: unknown): boolean {
  const code = codeOf(error)
  const message = messageOf(error)
  return (
    LOST.test(message) ||
    message === NO_ANSWER ||
    /^(08|57P|25P03|25P04|25006)/.test(code) ||
    /^E[A-Z]+$/.test(code)
  )
}

/**
 * What a request is told: `unavailable` where a later try may succeed. Anything else stays as it
 * is, conflicts too, since whoever runs a transaction tries it again.
 */
export function wireError(error: unknown): unknown {
  if (error instanceof AppError) return error
  const code = codeOf(error)
  if (code === '53100') {
    return new AppError('storage_full', 'the disk that holds the database is full', {}, error)
  }
  // What is looked for is checked where it comes in; what is missed there is wrong input all the same.
  if (code === '22021') {
    return new AppError('invalid_input', 'a text has a NUL in it, which no text may', {}, error)
  }
  if (code === '42501') {
    return new AppError(
      'internal',
      `the user of the database lacks a right that it needs, best as the owner of the database: ` +
        messageOf(error),
      {},
      error,
    )
  }
  const sentence = sentenceOf(code, error)
  return sentence ? unavailable(sentence, error) : error
}

/** As `wireError`, for a statement before the commit is sent: without it nothing is done. */
export function statementError(error: unknown): unknown {
  const wired = wireError(error)
  return isSlow(error) ? wired : markUndone(wired)
}

/**
 * As `wireError`, for a commit. Unless the server refused it, it may have been done: that is told as
 * `unavailable`, so that nobody takes it for undone and gives up the bytes of what is committed.
 */
export function commitError(error: unknown): unknown {
  const isFromServer = error instanceof Error && 'severity' in error
  const wired = wireError(error)
  if (isFromServer && !isBroken(error) && !isCollapse(error)) {
    return isSlow(error) ? wired : markUndone(wired)
  }
  return isAppError(wired, 'unavailable')
    ? wired
    : unavailable('the database does not answer', error)
}

/**
 * The disk of its journal failed the server, say, which ends then: the commit may be in the journal
 * all the same, and is found when the server starts again. The severity is in the server's language,
 * so all failures of the system and of the server itself are taken for it.
 */
function isCollapse(error: Error): boolean {
  return (
    /^(58|XX)/.test(codeOf(error)) || ('severity' in error && /^P.NI/.test(`${error.severity}`))
  )
}

/** No connection was had, for whatever reason. */
export function acquireError(error: unknown): unknown {
  const wired = wireError(error)
  if (wired === error) return unavailable('the database does not answer', error)
  return isSlow(error) ? wired : markUndone(wired)
}

/**
 * The server said nothing for long, or gave a statement up that took it too long: a second try would
 * be likely to wait in vain as well, and many at once keep it from ever catching up.
 */
function isSlow(error: unknown): boolean {
  const code = codeOf(error)
  const isTimeout = code === '' && /\btimeout\b/.test(messageOf(error))
  return isTimeout || ['ETIMEDOUT', '57014'].includes(code)
}

function sentenceOf(code: string, error: unknown): string | undefined {
  const message = messageOf(error)
  if (message === NO_PLACE) return 'all connections to the database are in use; try again'
  if (code === '57014') return 'the database took too long; try again'
  if (code === '25006') return 'the database takes no changes at the moment'
  const isRefused = /^(28|3D|53|55P03)/.test(code) || message.startsWith('SASL')
  return isBroken(error) || isRefused ? 'the database does not answer' : undefined
}

/** For work that met others again and again. */
export function conflictError(error: unknown): unknown {
  if (!isConflict(error)) return error
  return markUndone(unavailable('others changed the same at the same time; try again', error))
}

function unavailable(message: string, cause: unknown): AppError {
  return new AppError('unavailable', message, { retryAfter: 1 }, cause)
}

/**
 * Why PostgreSQL cannot be used, for whoever wrote the settings: one sentence, without the password.
 * @param url of the settings
 */
export function connectError(url: string, error: unknown): AppError {
  const { place, user, database } = partsOf(url)
  const cause = error instanceof AppError && error.cause !== undefined ? error.cause : error
  const code = codeOf(cause)
  const message = messageOf(cause)
  const sentence = (() => {
    if (code.startsWith('28') || message.startsWith('SASL')) {
      return (
        `PostgreSQL at ${place} does not let the user "${user}" in: name and password must be ` +
        'those of ENTREPOT_DATABASE_URL, and its pg_hba.conf must allow this machine'
      )
    }
    if (code === '3D000') return `PostgreSQL at ${place} has no database "${database}": create it`
    if (/CERT|TLS|SSL/.test(code) || message.includes('SSL')) {
      return (
        `TLS with PostgreSQL at ${place} fails (${code || message}): look at sslmode ` +
        'and sslrootcert in ENTREPOT_DATABASE_URL'
      )
    }
    if (code === 'ENOENT' || code === 'EACCES') {
      return `a file that ENTREPOT_DATABASE_URL names cannot be read: ${message}`
    }
    if (code.startsWith('53')) return `PostgreSQL at ${place} lets nobody in now: ${message}`
    if (code.startsWith('57P')) return `PostgreSQL at ${place} is starting or stopping: ${message}`
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
      return `the host of ENTREPOT_DATABASE_URL is unknown: ${place}`
    }
    return (
      `PostgreSQL at ${place} does not answer (${code || message}): see that it runs, and that ` +
      'host and port of its address (ENTREPOT_DATABASE_URL) are right'
    )
  })()
  return new AppError('unavailable', sentence, {}, error)
}

/** Where a database is, without who comes and how: `db.example.com:5432/entrepot`. */
export function placeOfPostgres(url: string): string {
  const { place, database } = partsOf(url)
  return `${place}/${database}`
}

function partsOf(url: string) {
  try {
    const { host, port, username, pathname, searchParams } = new URL(url)
    const name = host || searchParams.get('host') || 'localhost'
    return {
      place: port || name.startsWith('/') ? name : `${name}:5432`,
      user: decodeURIComponent(username) || searchParams.get('user') || '',
      database: decodeURIComponent(pathname.slice(1)) || decodeURIComponent(username),
    }
  } catch {
    // What is wrong with it is told by whoever reads the settings.
    return { place: 'the address of the settings', user: '', database: '' }
  }
}
