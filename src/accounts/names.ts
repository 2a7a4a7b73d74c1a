import { AppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'

/** No character that a shell, a URL or a header reads in its own way (harbor#22540). */
const NAME = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/
const MAX_NAME = 64
/** `anonymous` is what logs call those who did not sign in. */
const RESERVED = ['anonymous']

/** Throws `invalid_input` unless `name` may be the name of a user, or a robot's part after `+`. */
export function checkAccountName(name: string): void {
  if (name.length > MAX_NAME || !NAME.test(name) || RESERVED.includes(name)) {
    throw new AppError(
      'invalid_input',
      `the name must have 1 to ${MAX_NAME} lower-case letters and digits, with single ".", "_" ` +
        `or "-" between them, and must not be ${RESERVED.join(' or ')}`,
      { field: 'name', ...because('account_name_invalid', { most: MAX_NAME }) },
    )
  }
}

/** False for what cannot be the name of any account, and need not be looked for. */
export function couldBeAccountName(name: string): boolean {
  return name.length <= 320 && /^[a-z0-9._+-]+$/.test(name)
}

/** Text that people see: no control characters, no more than `max` UTF-16 units. */
export function checkText(field: string, text: string, max: number): void {
  if (text.length > max || /\p{Cc}/u.test(text)) {
    throw new AppError(
      'invalid_input',
      `${field} must have at most ${max} characters and no control characters`,
      {
        field,
        ...(text.length > max
          ? because('field_long', { most: max })
          : because('field_control', {})),
      },
    )
  }
}

/** Throws unless `at` is null or an epoch time in milliseconds after `now`. */
export function checkExpiry(at: number | null | undefined, now: number): void {
  if (at === null || at === undefined) return
  if (!Number.isSafeInteger(at) || at <= now) {
    throw new AppError('invalid_input', 'the time of expiry must lie in the future', {
      ...because('expiry_past', {}),
      field: 'expiresAt',
    })
  }
}
