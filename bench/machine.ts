import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { MiB } from './payloads.ts'

const tmpfsMagic = 0x01021994

export type Machine = {
  cores: number
  processor: string
  memoryGiB: number
  kernel: string
  bun: string
  /** MiB/s of writing 100 MiB and syncing once: no durable push of 100 MB can be faster. */
  diskMiBPerSecond: number
  /** Milliseconds of writing 4 KiB and syncing, on average. */
  syncMs: number
  /** True where the data folder is in memory and syncing is for nothing. */
  inMemory: boolean
}

export function describeMachine(dir: string): Machine {
  const list = cpus()
  return {
    cores: list.length,
    processor: list[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    bun: Bun.version,
    diskMiBPerSecond: 100 / (timeWrites(dir, 100, MiB, false) / 1000),
    syncMs: timeWrites(dir, 50, 4096, true) / 50,
    inMemory: statfsSync(dir).type === tmpfsMagic,
  }
}

export function renderMachine(machine: Machine): string {
  return [
    `${machine.cores} cores of ${machine.processor}, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, Bun ${machine.bun}`,
    `disk: ${machine.diskMiBPerSecond.toFixed(0)} MiB/s written and synced, ${machine.syncMs.toFixed(2)} ms for a synced write of 4 KiB`,
    ...(machine.inMemory ? ['the data folder is in memory: pushes are not durable here'] : []),
  ].join('\n')
}

/** Milliseconds for all writes, with one sync at the end or after each. */
function timeWrites(dir: string, count: number, size: number, syncEach: boolean): number {
  const path = join(dir, 'disk-probe')
  const bytes = Buffer.alloc(size, 1)
  const file = openSync(path, 'w')
  try {
    const begin = performance.now()
    for (let i = 0; i < count; i++) {
      writeSync(file, bytes)
      if (syncEach) fsyncSync(file)
    }
    fsyncSync(file)
    return performance.now() - begin
  } finally {
    closeSync(file)
    rmSync(path)
  }
}
