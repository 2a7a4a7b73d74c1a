import { isIP } from 'node:net'
import { z } from 'zod'
import type { ListenAddress } from './listen-address.ts'

/*
 * The forms that settings are written in. Every message completes "… must be", because a problem
 * is reported as `key: "value" must be …`.
 */

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const DURATION = /^(\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/

/** `30s`, `1h30m`, `7d`, or a number of seconds; milliseconds inside. */
export function duration({ min, max }: { min: string; max: string }) {
  const least = parseDuration(min) ?? 0
  const most = parseDuration(max) ?? Number.POSITIVE_INFINITY
  const right = `a duration from ${min} to ${max}, such as 90s, 5m, 1h30m or 7d`
  return z.union([z.string(), z.number()], { error: right }).transform((input, context) => {
    const value = parseDuration(input)
    if (value !== undefined && value >= least && value <= most) return value
    context.addIssue({ code: 'custom', message: right })
    return z.NEVER
  })
}

function parseDuration(input: string | number): number | undefined {
  const seconds = Number(input)
  if (input !== '' && Number.isFinite(seconds)) return seconds * 1000
  const text = String(input).replaceAll(/\s/g, '')
  if (!DURATION.test(text)) return undefined
  let sum = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    sum += Number(amount) * (UNITS[unit ?? ''] ?? 0)
  }
  return sum
}

/** `127.0.0.1:5000`, `[::1]:5000`, `localhost:5000`, `:5000` for all addresses. */
export function address() {
  const right = 'an address and a port, such as 127.0.0.1:5000, [::]:5000 or 0.0.0.0:5000'
  return z.string({ error: right }).transform((input, context): ListenAddress => {
    const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:[\]/\s]*)):(?<port>\d{1,5})$/.exec(input)
    const { v6, host, port } = match?.groups ?? {}
    const number = Number(port)
    if (number <= 65_535 && (v6 === undefined ? host !== undefined : isIP(v6) === 6)) {
      return { host: v6 || host || '0.0.0.0', port: number }
    }
    context.addIssue({ code: 'custom', message: right })
    return z.NEVER
  })
}

/** A web address without a path: scheme, host and port. */
export function origin() {
  const right = 'a web address without a path, such as https://registry.example.com'
  return z.string({ error: right }).transform((input, context) => {
    const url = URL.canParse(input) ? new URL(input) : undefined
    const isOrigin =
      url &&
      ['http:', 'https:'].includes(url.protocol) &&
      url.pathname === '/' &&
      !(url.search || url.hash || url.username)
    if (isOrigin) return url.origin
    context.addIssue({ code: 'custom', message: right })
    return z.NEVER
  })
}

/** Accepts what a YAML file and what a variable can say. */
export function flag() {
  const right = 'true or false'
  return z
    .union([z.boolean(), z.string(), z.number()], { error: right })
    .transform((input, context) => {
      const text = String(input).toLowerCase()
      if (['true', 'yes', 'on', '1'].includes(text)) return true
      if (['false', 'no', 'off', '0'].includes(text)) return false
      context.addIssue({ code: 'custom', message: right })
      return z.NEVER
    })
}

export function integer({ min, max }: { min: number; max: number }) {
  const right = `a whole number from ${min} to ${max}`
  return z.union([z.number(), z.string()], { error: right }).transform((input, context) => {
    const value = String(input).trim() === '' ? Number.NaN : Number(input)
    if (Number.isInteger(value) && value >= min && value <= max) return value
    context.addIssue({ code: 'custom', message: right })
    return z.NEVER
  })
}

const BYTE_UNITS: Record<string, number> = {
  '': 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
}

/** `500MB`, `10GiB`, or a number of bytes. */
export function byteSize({ min }: { min: string }) {
  const right = `a number of bytes from ${min} on, such as 500MB, 10GiB or 1TB`
  const least = parseBytes(min) ?? 0
  return z.union([z.string(), z.number()], { error: right }).transform((input, context) => {
    const value = parseBytes(String(input))
    if (value !== undefined && value >= least) return value
    context.addIssue({ code: 'custom', message: right })
    return z.NEVER
  })
}

function parseBytes(input: string): number | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(input.trim()) ?? []
  const factor = BYTE_UNITS[unit.toUpperCase()]
  return amount === undefined || factor === undefined
    ? undefined
    : Math.round(Number(amount) * factor)
}

export function oneOf<const T extends [string, ...string[]]>(...values: T) {
  return z.enum(values, { error: values.join(' or ') })
}

/** Free text that is not empty; `right` says what. */
export function text(right: string, pattern: RegExp = /\S/) {
  return z.string({ error: right }).regex(pattern, { error: right })
}

/** A name of the IANA time zone database. */
export function timeZone() {
  const right = 'a time zone, such as Asia/Shanghai, Europe/Berlin or UTC'
  return z.string({ error: right }).refine(isTimeZone, { error: right })
}

function isTimeZone(name: string): boolean {
  try {
    // Offsets such as +08:00 have no name that could be shown.
    return /^[A-Za-z]/.test(name) && Intl.DateTimeFormat('en-US', { timeZone: name }) !== undefined
  } catch {
    return false
  }
}

/** IP addresses and ranges in CIDR form; in a variable separated by commas. */
export function addressRanges() {
  const right = 'a list of IP addresses or ranges, such as 10.0.0.0/8 or fd00::1'
  return z
    .union([z.string(), z.array(z.string())], { error: right })
    .transform((input, context) => {
      const entries = typeof input === 'string' ? input.split(',') : input
      const ranges = entries.map((entry) => entry.trim()).filter((entry) => entry !== '')
      if (ranges.every(isAddressRange)) return ranges
      context.addIssue({ code: 'custom', message: right })
      return z.NEVER
    })
}

function isAddressRange(entry: string): boolean {
  const [ip = '', bits, ...rest] = entry.split('/')
  const version = isIP(ip)
  if (version === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}
