import { createPrivateKey, X509Certificate } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { codeOf } from './code-of.ts'
import type { Config } from './config.ts'
import { AppError } from './errors.ts'
import { createSelfSigned } from './self-signed.ts'

/** PEM texts, as `Bun.serve` takes them. */
export interface TlsPair {
  cert: string
  key: string
}

const DAY_MS = 86_400_000
const SELF_SIGNED_DAYS = 730
const RENEW_BEFORE_DAYS = 30

/**
 * The certificate to serve with; undefined where HTTP is spoken.
 *
 * @throws AppError `invalid_input` when a file is missing, unreadable, or the two do not match.
 */
export function loadTls(config: Config): TlsPair | undefined {
  const files = filesOf(config)
  if (!files) return undefined
  const pair = {
    cert: readPem(files.cert, 'listen.tls.cert'),
    key: readPem(files.key, 'listen.tls.key'),
  }
  let matches: boolean
  try {
    matches = new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key))
  } catch (error) {
    throw new AppError(
      'invalid_input',
      `${files.cert} and ${files.key} must be a PEM certificate and its PEM private key`,
      { field: 'listen.tls' },
      error,
    )
  }
  if (matches) return pair
  throw new AppError(
    'invalid_input',
    `the private key in ${files.key} does not belong to the certificate in ${files.cert}`,
    { field: 'listen.tls' },
  )
}

export interface TlsWatch {
  stop(): void
}

/**
 * Calls `onChange` with each new valid pair. The files are read again and again instead of being
 * watched: Kubernetes and certbot replace symbolic links, which a watch does not see. While the
 * pair is not valid (one file written, the other not yet) the old one stays.
 */
export function watchTls(
  config: Config,
  onChange: (pair: TlsPair) => void,
  { everyMs = 5000, onProblem }: { everyMs?: number; onProblem?: (error: unknown) => void } = {},
): TlsWatch {
  if (!filesOf(config)) return { stop() {} }
  let current = loadTls(config)
  let problem = ''
  const timer = setInterval(() => {
    try {
      const next = loadTls(config)
      problem = ''
      if (!next || (next.cert === current?.cert && next.key === current?.key)) return
      current = next
      onChange(next)
    } catch (error) {
      // Told once, not at every look.
      if (String(error) !== problem) onProblem?.(error)
      problem = String(error)
    }
  }, everyMs)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}

/** Makes the self-signed certificate where one is wanted and none that still serves is there. */
export function prepareSelfSigned(config: Config, now = Date.now()): void {
  if (!config.listen.tls.selfSigned) return
  const files = selfSignedFiles(config)
  const names = selfSignedNames(config)
  if (existsSync(files.cert) && existsSync(files.key) && stillServes(files.cert, names, now)) return
  mkdirSync(dirname(files.cert), { recursive: true, mode: 0o700 })
  const { cert, key } = createSelfSigned({ names, now, days: SELF_SIGNED_DAYS })
  writeAside(files.key, key, 0o600)
  writeAside(files.cert, cert, 0o644)
}

function filesOf(config: Config): TlsPair | undefined {
  const { cert, key, selfSigned } = config.listen.tls
  if (selfSigned) return selfSignedFiles(config)
  return cert !== undefined && key !== undefined ? { cert, key } : undefined
}

function selfSignedFiles(config: Config): TlsPair {
  const folder = join(config.data, 'tls')
  return { cert: join(folder, 'self-signed.crt'), key: join(folder, 'self-signed.key') }
}

function selfSignedNames(config: Config): string[] {
  const { host } = config.listen.address
  const names = ['localhost', hostname(), '127.0.0.1', '::1']
  if (host !== '0.0.0.0' && host !== '::') names.push(host)
  if (config.publicUrl) names.push(new URL(config.publicUrl).hostname.replaceAll(/[[\]]/g, ''))
  return [...new Set(names)]
}

function stillServes(file: string, names: string[], now: number): boolean {
  try {
    const certificate = new X509Certificate(readFileSync(file))
    const isFresh = Date.parse(certificate.validTo) > now + RENEW_BEFORE_DAYS * DAY_MS
    return (
      isFresh &&
      names.every(
        (name) => (certificate.checkHost(name) ?? certificate.checkIP(name)) !== undefined,
      )
    )
  } catch {
    return false
  }
}

function readPem(file: string, field: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = codeOf(error) || String(error)
    throw new AppError('invalid_input', `${field}: cannot read ${file} (${code})`, { field }, error)
  }
}

/** Readers see the old file or the new one, never a part. */
function writeAside(file: string, content: string, mode: number): void {
  const draft = `${file}.new`
  writeFileSync(draft, content, { mode })
  chmodSync(draft, mode)
  renameSync(draft, file)
}
