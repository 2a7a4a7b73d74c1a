import { createLogOutput } from './log-output.ts'
import { redact } from './redact.ts'

const RANKS = { debug: 0, info: 1, warn: 2, error: 3 }
type LogLevel = keyof typeof RANKS

/** Variables of a line. An `Error` under any name is written with its stack and causes. */
type LogFields = Record<string, unknown>

/**
 * A structured log. `message` is constant and lower-case ("upload committed"), everything that
 * varies goes into `fields`, so that lines can be counted and searched. Secrets are replaced:
 * see `redact`.
 */
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A log whose every line carries `fields` too. */
  child(fields: LogFields): Log
  /** True when lines of `level` are written; spares preparing those that are not. */
  enabled(level: LogLevel): boolean
}

export interface LogOptions {
  level: LogLevel
  /** `json`: one object per line; `pretty`: for a person in a terminal. */
  format: 'json' | 'pretty'
  /** Which process writes, such as `worker-1`. */
  name?: string
  /** Takes whole lines; the standard output when left out. */
  output?: (lines: string) => void
}

/** A log to the standard output, which is written at the end of the tick and at exit. */
export function createLog({ level, format, name, output }: LogOptions): Log {
  const { write } = createLogOutput({ format, ...(output ? { output } : {}) })
  return logWith(name === undefined ? {} : { process: name }, RANKS[level], write)
}

/** Says nothing: for tests and for commands whose output is their result. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
  enabled: () => false,
}

/** @param base fields of every line, already without secrets */
function logWith(base: LogFields, least: number, write: (line: string) => void): Log {
  const enabled = (level: LogLevel) => RANKS[level] >= least
  const writer =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      if (!enabled(level)) return
      const own = fields ? redact(fields) : {}
      const line = { level, time: new Date().toISOString(), ...base, ...own, msg: message }
      write(`${JSON.stringify(line)}\n`)
    }
  return {
    debug: writer('debug'),
    info: writer('info'),
    warn: writer('warn'),
    error: writer('error'),
    child: (fields) => logWith({ ...base, ...redact(fields) }, least, write),
    enabled,
  }
}
