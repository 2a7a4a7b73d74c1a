import { userInfo } from 'node:os'
import { createPasswords } from '../accounts/passwords.ts'
import { type ResetAnswer, resetPassword } from '../accounts/reset-password.ts'
import { systemClock } from '../lib/clock.ts'
import type { Config } from '../lib/config.ts'
import { AppError } from '../lib/errors.ts'
import { openExisting } from '../store/db/existing.ts'

export interface ResetOptions {
  name: string
  passwordStdin: boolean
  keepTokens: boolean
}

/**
 * Gives a user another password. A made up one goes to the standard output, alone, and what is to
 * be said about it beside it.
 * @throws AppError with a sentence on what stands in the way
 */
export async function resetPasswordOf(
  config: Config,
  { name, passwordStdin, keepTokens }: ResetOptions,
): Promise<void> {
  const password = passwordStdin ? await passwordOfInput() : undefined
  const db = await openExisting(config)
  try {
    const answer = await resetPassword(
      { db, clock: systemClock, passwords: createPasswords() },
      { name, password, keepsTokens: keepTokens, by: whoRuns() },
    )
    tell(answer, keepTokens)
  } finally {
    await db.close()
  }
}

function tell({ user, password }: ResetAnswer, keepsTokens: boolean): void {
  const lines = [
    password === undefined
      ? `"${user.name}" has the new password.`
      : `The new password of "${user.name}", shown this once; change it after signing in:`,
    `Its sessions${keepsTokens ? '' : ', API tokens, access keys'} and sign-ins of clients are ` +
      'void, at a running server within five seconds.',
    ...(user.disabled ? ['The user is disabled, so nobody can sign in with it yet.'] : []),
    ...(user.expiresAt !== null && user.expiresAt <= systemClock()
      ? ['The account has expired, so nobody can sign in with it yet.']
      : []),
    ...(user.isAdmin ? [] : ['The user is no administrator.']),
  ]
  const [first, ...rest] = lines
  process.stderr.write(`${first}\n`)
  if (password !== undefined) process.stdout.write(`${password}\n`)
  process.stderr.write(`${rest.join('\n')}\n`)
}

async function passwordOfInput(): Promise<string> {
  const [line = ''] = (await Bun.stdin.text()).split(/\r?\n/)
  if (line !== '') return line
  throw new AppError('invalid_input', 'the standard input holds no password')
}

function whoRuns(): string {
  try {
    return userInfo().username
  } catch {
    // A container may run under a number that has no name.
    return `user ${process.getuid?.() ?? 'unknown'}`
  }
}
