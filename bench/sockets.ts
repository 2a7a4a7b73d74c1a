import { dlopen, FFIType, type Pointer, ptr, read } from 'bun:ffi'
import { lookup } from 'node:dns/promises'

/*
 * TCP by the system's own calls, because Bun's sockets copy all that arrives twice and tell nothing
 * else: here the kernel drops the bytes that nobody looks at (MSG_TRUNC, tcp(7)), after it has
 * received, checked and acknowledged them. Linux only, like the rest of the bench.
 */

const AF_INET = 2
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
const IPPROTO_TCP = 6
const TCP_NODELAY = 1
const MSG_PEEK = 0x2
const MSG_TRUNC = 0x20
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const EPOLL_CLOEXEC = 0o2000000
const EPOLL_CTL_ADD = 1
/** Told once for each change: nothing has to be registered anew before a request. */
const EPOLL_EVENTS = 0x80000000 | 0x1 /* IN */ | 0x4 /* OUT */ | 0x2000 /* RDHUP */
const EAGAIN = 11
const EINTR = 4

/** Fields of `struct epoll_event`, which is packed on x86-64 only. */
const [EVENT_BYTES, EVENT_DATA] = process.arch === 'x64' ? [12, 4] : [16, 8]
const EVENTS_AT_ONCE = 512
/** Whatever else this process waits for (answers to `fetch`) is looked at so often, at least. */
const WAIT_MS = 5

const libc = dlopen('libc.so.6', {
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  connect: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
  send: { args: ['i32', 'ptr', 'usize', 'i32'], returns: FFIType.i64_fast },
  recv: { args: ['i32', 'ptr', 'usize', 'i32'], returns: FFIType.i64_fast },
  close: { args: ['i32'], returns: 'i32' },
  epoll_create1: { args: ['i32'], returns: 'i32' },
  epoll_ctl: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' },
  epoll_wait: { args: ['i32', 'ptr', 'i32', 'i32'], returns: 'i32' },
  __errno_location: { args: [], returns: 'ptr' },
}).symbols

/** What a call of the system gave: a number of bytes, nothing now, or the end of the connection. */
type Taken = number | 'later' | 'closed'

export type Socket = {
  send(bytes: Uint8Array, offset: number): Taken
  /** Into the beginning of `buffer`. */
  receive(buffer: Uint8Array): Taken
  /** Takes up to so many bytes away without looking at them. */
  drop(most: number): Taken
  /** True when the other side has ended it and nothing is left to be read. */
  hasEnded(): boolean
  close(): void
}

/** Called when bytes came, room to send came, or the connection ended; any of them. */
type OnReady = () => void

const sockets = new Map<number, OnReady>()
const events = new Uint8Array(EVENTS_AT_ONCE * EVENT_BYTES)
const eventView = new DataView(events.buffer)
let epoll: number | null = null
let waiting = 0
let isPolling = false

/** @throws Error when nobody listens there */
export async function openSocket(host: string, port: number, onReady: OnReady): Promise<Socket> {
  const { address } = await lookup(host, 4)
  const fd = demand(libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 'socket')
  const target = new Uint8Array(16)
  const view = new DataView(target.buffer)
  // sockaddr_in: the family in the machine's order, port and address in that of the network.
  view.setUint16(0, AF_INET, true)
  view.setUint16(2, port)
  for (const [i, part] of address.split('.').entries()) view.setUint8(4 + i, Number(part))
  try {
    demand(libc.connect(fd, ptr(target), target.length), `connect to ${host}:${port}`)
    const on = new Int32Array([1])
    demand(libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ptr(on), 4), 'setsockopt')
    register(fd, onReady)
  } catch (error) {
    libc.close(fd)
    throw error
  }
  let isOpen = true

  return {
    send(bytes, offset) {
      const size = bytes.length - offset
      return size === 0 ? 0 : taken(libc.send(fd, ptr(bytes, offset), size, SEND_FLAGS), false)
    },
    receive: (buffer) => taken(libc.recv(fd, ptr(buffer), buffer.length, MSG_DONTWAIT), true),
    drop: (most) => taken(libc.recv(fd, null, most, MSG_DONTWAIT | MSG_TRUNC), true),
    hasEnded() {
      const one = new Uint8Array(1)
      return taken(libc.recv(fd, ptr(one), 1, MSG_DONTWAIT | MSG_PEEK), true) === 'closed'
    },
    close() {
      if (!isOpen) return
      isOpen = false
      sockets.delete(fd)
      libc.close(fd)
    },
  }
}

const SEND_FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL

/** Sockets are looked at while somebody waits: between `waitBegins` and `waitEnds`. */
export function waitBegins(): void {
  waiting += 1
  if (isPolling) return
  isPolling = true
  setImmediate(poll)
}

export function waitEnds(): void {
  waiting -= 1
}

function poll(): void {
  if (waiting === 0 || epoll === null) {
    isPolling = false
    return
  }
  const count = libc.epoll_wait(epoll, ptr(events), EVENTS_AT_ONCE, WAIT_MS)
  for (let i = 0; i < count; i++) {
    sockets.get(eventView.getInt32(i * EVENT_BYTES + EVENT_DATA, true))?.()
  }
  // Not at once: those who were answered go on first, and the rest of the process has its turn.
  setImmediate(poll)
}

function register(fd: number, onReady: OnReady): void {
  epoll ??= demand(libc.epoll_create1(EPOLL_CLOEXEC), 'epoll_create1')
  const event = new Uint8Array(EVENT_BYTES)
  const view = new DataView(event.buffer)
  view.setUint32(0, EPOLL_EVENTS, true)
  view.setInt32(EVENT_DATA, fd, true)
  sockets.set(fd, onReady)
  demand(libc.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, ptr(event)), 'epoll_ctl')
}

function taken(result: number | bigint, isRead: boolean): Taken {
  const bytes = Number(result)
  if (bytes > 0) return bytes
  if (bytes === 0) return isRead ? 'closed' : 'later'
  const errno = lastError()
  return errno === EAGAIN || errno === EINTR ? 'later' : 'closed'
}

function demand(result: number, call: string): number {
  if (result < 0) throw new Error(`${call}: error ${lastError()}`)
  return result
}

function lastError(): number {
  return read.i32(libc.__errno_location() as Pointer, 0)
}
