import { writeSync } from 'node:fs'
import { codeOf } from './code-of.ts'

/**
 * Writes to a pipe of up to this size are atomic (PIPE_BUF of Linux), so the lines of several
 * processes on one pipe never mix.
 */
const ATOMIC_WRITE = 4096

export interface LogOutputOptions {
  format: 'json' | 'pretty'
  /** Takes whole lines; the standard output when left out. */
  output?: (lines: string) => void
}

/** Takes the lines of a log. Those of one tick go out together. */
export function createLogOutput({ format, output }: LogOutputOptions) {
  const put = output ?? writeAll
  let pending = ''
  let scheduled = false

  function flush(): void {
    scheduled = false
    const lines = pending
    pending = ''
    if (lines) put(lines)
  }

  // `process.exit()` runs no more ticks.
  if (!output) process.on('exit', flush)

  return {
    write(line: string): void {
      const text = format === 'pretty' ? prettyLine(line) : line
      if (pending.length + text.length > ATOMIC_WRITE) flush()
      pending += text
      if (scheduled) return
      scheduled = true
      setImmediate(flush)
    },
  }
}

/** The standard output may be a pipe that is full, or gone. */
function writeAll(lines: string): void {
  let rest = Buffer.from(lines)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') return
      Bun.sleepSync(1)
    }
  }
}

const COLOURS: Record<string, number> = { debug: 90, info: 32, warn: 33, error: 31 }

/** `12:30:01 info  listening url=http://127.0.0.1:5000` */
function prettyLine(line: string): string {
  const { time, level, msg, process: name, ...fields } = JSON.parse(line)
  const colour = COLOURS[level] ?? 0
  const clock = new Date(time).toLocaleTimeString('en-GB')
  const head = `\x1b[90m${clock}\x1b[0m \x1b[${colour}m${String(level).padEnd(5)}\x1b[0m ${msg}`
  const stacks: string[] = []
  const parts = Object.entries({ ...fields, ...(name ? { process: name } : {}) }).map(
    ([key, value]) => `\x1b[90m${key}=\x1b[0m${prettyValue(value, stacks)}`,
  )
  return `${[head, ...parts].join(' ')}\n${stacks.map((stack) => `${stack}\n`).join('')}`
}

function prettyValue(value: unknown, stacks: string[]): string {
  if (typeof value === 'string') return /[\s"=]/.test(value) ? JSON.stringify(value) : value
  if (value && typeof value === 'object' && 'stack' in value && 'message' in value) {
    stacks.push(String(value.stack))
    return JSON.stringify(value.message)
  }
  return JSON.stringify(value)
}
