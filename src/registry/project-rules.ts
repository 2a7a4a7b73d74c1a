import { AppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import { isProjectName, RESERVED_PROJECTS, SYSTEM } from '../oci/reference.ts'

/* What a project may be called, and how much it may be given. */

export const NO_QUOTA = -1

/**
 * @param byAdministrator whether a system administrator makes it
 * @throws AppError name_invalid
 */
export function demandProjectName(name: string, byAdministrator = false): void {
  if (!isProjectName(name)) {
    throw new AppError(
      'name_invalid',
      `"${name.slice(0, 80)}" is not a project name: use 1 to 255 lower-case letters and digits, with single ".", "_" or "-" between them`,
      { field: 'name', ...because('name_invalid', { name: name.slice(0, 80) }) },
    )
  }
  if (RESERVED_PROJECTS.includes(name) || (name === SYSTEM && !byAdministrator)) {
    const exception = name === SYSTEM ? '; only a system administrator can make it' : ''
    throw new AppError('name_invalid', `the project name "${name}" is reserved${exception}`, {
      field: 'name',
      ...because('name_reserved', { name }),
    })
  }
}

/**
 * An alias is looked for before names and ids, so it may not look like an id.
 * @throws AppError invalid_input
 */
export function demandAlias(alias: string): void {
  if (
    !/^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,255}$/.test(alias) ||
    /^\d{1,15}$|^0{17}\d{15}$/.test(alias)
  ) {
    throw new AppError(
      'invalid_input',
      'the alias must have 1 to 256 letters, digits, ".", "_", "~" or "-", and must not look like an id of ours: not up to 15 digits alone',
      { field: 'alias', ...because('alias_invalid', {}) },
    )
  }
}

/** @throws AppError invalid_input */
export function demandQuota(quota: number): void {
  if (!Number.isSafeInteger(quota) || (quota !== NO_QUOTA && quota < 1)) {
    throw new AppError(
      'invalid_input',
      `the quota ${quota} is not valid: use -1 for no limit, or at least 1 byte`,
      { field: 'quota', ...because('quota_invalid', {}) },
    )
  }
}
