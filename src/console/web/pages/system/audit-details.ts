import type { TFunction } from 'i18next'
import type { AuditEntry } from '../../api/types.ts'
import type { Format } from '../../format.ts'

type Value = AuditEntry['details'][string]
type Shown = Pick<Format, 'bytes' | 'dateTime' | 'number'>

/** Fields that count bytes. */
const SIZES = ['quota', 'previousQuota', 'size']
/** Fields that are a time. */
const TIMES = ['expiresAt']
const ROLES = ['role', 'previousRole']

/** What an entry tells besides, in the reader's words: `quota: 2 GiB · public: no`. */
export function sayDetails(details: AuditEntry['details'], t: TFunction, format: Shown): string {
  return Object.entries(details)
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${nameOf(name)}: ${said(name, value)}`)
    .join(' · ')

  function nameOf(field: string): string {
    return known('fields', field) ?? field
  }

  function said(field: string, value: Value): string {
    if (typeof value === 'boolean') return value ? t('common.yes') : t('common.no')
    if (typeof value === 'number') {
      if (SIZES.includes(field)) return value < 0 ? t('projects.noLimit') : format.bytes(value)
      if (TIMES.includes(field)) return format.dateTime(value)
      return format.number(value)
    }
    return (ROLES.includes(field) ? known('roles', String(value)) : undefined) ?? String(value)
  }

  /** A text whose key comes from the server; undefined: there is none. */
  function known(table: 'fields' | 'roles', key: string): string | undefined {
    if (!/^\w+$/.test(key)) return undefined
    const path = table === 'fields' ? `audit.fields.${key}` : `roles.${key}`
    const text: unknown = t(path as 'audit.fields.role', { defaultValue: '' })
    return typeof text === 'string' && text !== '' ? text : undefined
  }
}
