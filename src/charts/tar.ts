import { AppError } from '../lib/errors.ts'

/*
 * A reader of tar archives that come from strangers (POSIX.1-2017, pax; the GNU forms of long
 * names). It holds no more in memory than what is asked for, and what charts never contain, such as
 * links, is refused instead of being read in one of several ways.
 */

const BLOCK = 512
/** Of one extended header: a name and some attributes. */
const HEADER_LIMIT = 64 * 1024
const MOST_ENTRIES = 10_000

export interface TarFile {
  /** As it stands in the archive. */
  name: string
  size: number
  /** undefined: not asked for. */
  bytes: Uint8Array | undefined
}

/**
 * The regular files of a tar stream.
 *
 * @param wants says of a file, before its bytes are read, whether they are wanted; may throw
 * @throws AppError invalid_input
 */
export async function* readTar(
  chunks: AsyncIterable<Uint8Array>,
  wants: (name: string, size: number) => boolean,
): AsyncGenerator<TarFile> {
  const input = createInput(chunks)
  let name: string | undefined
  let size: number | undefined
  let entries = 0
  for (;;) {
    const block = await input.read(BLOCK)
    if (!block || block.every((byte) => byte === 0)) break
    if (++entries > MOST_ENTRIES) throw refused(`has more than ${MOST_ENTRIES} entries`)
    const header = parseHeader(block)
    const { type } = header
    if (type === 'x' || type === 'g' || type === 'L' || type === 'K') {
      if (header.size > HEADER_LIMIT) throw refused('has a header that is too large')
      const body = (await input.read(padded(header.size)))?.subarray(0, header.size)
      if (!body) throw truncated()
      if (type === 'L') name = textOf(body)
      if (type !== 'x') continue
      const records = parsePax(body)
      name = records.get('path') ?? name
      size = records.has('size') ? sizeOf(records.get('size') ?? '') : size
      continue
    }
    const file = { name: name ?? header.name, size: size ?? header.size }
    name = undefined
    size = undefined
    // Before pax, a folder was a file whose name ends with a slash.
    if (type === '5' || (type === '0' && file.name.endsWith('/'))) {
      await input.skip(padded(type === '5' ? 0 : file.size))
      continue
    }
    if (type !== '0') throw refused(`holds "${shown(file.name)}", which is ${kindOf(type)}`)
    if (wants(file.name, file.size)) {
      const bytes = (await input.read(padded(file.size)))?.slice(0, file.size)
      if (!bytes) throw truncated()
      yield { ...file, bytes }
    } else {
      await input.skip(padded(file.size))
      yield { ...file, bytes: undefined }
    }
  }
  // To its end, so that checksums of the compression are looked at.
  while (await input.more()) {}
}

function parseHeader(block: Uint8Array): { name: string; size: number; type: string } {
  let sum = 0
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : (block[i] ?? 0)
  if (sum !== octal(block.subarray(148, 156))) throw refused('is not a tar archive, or is damaged')
  const isPosix = textOf(block.subarray(257, 263)) === 'ustar' && block[262] === 0
  const prefix = isPosix ? textOf(block.subarray(345, 500)) : ''
  const name = textOf(block.subarray(0, 100))
  const type = String.fromCharCode(block[156] || 0x30)
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size: octal(block.subarray(124, 136)),
    // Contiguous files are files (POSIX.1-2017).
    type: type === '7' ? '0' : type,
  }
}

/** Records of the form `<length> <name>=<value>\n`, where the length counts all of it. */
function parsePax(body: Uint8Array): Map<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at)
    const length = space < 0 ? Number.NaN : Number(textOf(body.subarray(at, space)))
    const record = body.subarray(space + 1, at + length - 1)
    const equals = record.indexOf(0x3d)
    if (!Number.isInteger(length) || at + length > body.length || equals < 1) {
      throw refused('has an extended header that cannot be read')
    }
    const name = textOf(record.subarray(0, equals))
    if (name.startsWith('GNU.sparse.')) throw refused('holds a sparse file')
    records.set(name, textOf(record.subarray(equals + 1)))
    at += length
  }
  return records
}

/** A number of the header: octal digits, or big-endian bytes after 0x80 (GNU). */
function octal(field: Uint8Array): number {
  if ((field[0] ?? 0) >= 0x80) throw refused('holds a file that is too large')
  const text = textOf(field).trim()
  if (!/^[0-7]*$/.test(text)) throw refused('is not a tar archive, or is damaged')
  return Number.parseInt(text || '0', 8)
}

function sizeOf(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw refused('has a size that is not a number')
  return Number(text)
}

/** Up to the first zero byte. */
function textOf(field: Uint8Array): string {
  const end = field.indexOf(0)
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end))
}

const padded = (size: number): number => Math.ceil(size / BLOCK) * BLOCK

function kindOf(type: string): string {
  if (type === '1' || type === '2') return 'a link; package the chart with "helm package"'
  if (type === '3' || type === '4') return 'a device'
  return type === '6' ? 'a pipe' : 'no file'
}

interface Input {
  /** Exactly `size` bytes; undefined: there are none left. */
  read(size: number): Promise<Uint8Array | undefined>
  skip(size: number): Promise<void>
  /** Drops what is there; false at the end. */
  more(): Promise<boolean>
}

function createInput(chunks: AsyncIterable<Uint8Array>): Input {
  const source = chunks[Symbol.asyncIterator]()
  let rest: Uint8Array = new Uint8Array()

  async function more(): Promise<boolean> {
    const { done, value } = await source.next()
    rest = done ? new Uint8Array() : value
    return !done
  }

  return {
    more,
    async read(size) {
      if (rest.length >= size) {
        const bytes = rest.subarray(0, size)
        rest = rest.subarray(size)
        return bytes
      }
      const parts: Uint8Array[] = []
      let missing = size
      while (missing > 0) {
        if (rest.length === 0 && !(await more())) {
          if (missing === size) return undefined
          throw truncated()
        }
        const part = rest.subarray(0, missing)
        rest = rest.subarray(part.length)
        missing -= part.length
        parts.push(part)
      }
      return Buffer.concat(parts)
    },
    async skip(size) {
      let missing = size
      while (missing > 0) {
        if (rest.length === 0 && !(await more())) throw truncated()
        const part = Math.min(missing, rest.length)
        rest = rest.subarray(part)
        missing -= part
      }
    },
  }
}

/** A sentence about the archive that completes "the chart archive …". */
export function refused(what: string, cause?: unknown): AppError {
  return new AppError('invalid_input', `the chart archive ${what}`, { field: 'chart' }, cause)
}

function truncated(): AppError {
  return refused('ends too early')
}

/** Names of strangers in our sentences: short, and without control characters. */
export function shown(name: string): string {
  return name.slice(0, 100).replace(/[^\x20-\x7e]/g, '?')
}
