import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { treeMemory } from './memory.ts'
import { processTree } from './processes.ts'

const onLinux = test.skipIf(process.platform !== 'linux')

onLinux('a program that runs three times is counted once', async () => {
  const sleeper = 'setInterval(() => {}, 1000)'
  const program = `
    for (let i = 0; i < 3; i++) Bun.spawn([process.execPath, '-e', ${JSON.stringify(sleeper)}])
    ${sleeper}; console.log('started')`
  const alone = Bun.spawn([process.execPath, '-e', `${sleeper}; console.log('started')`], {
    stdout: 'pipe',
  })
  const family = Bun.spawn([process.execPath, '-e', program], { stdout: 'pipe' })
  try {
    await alone.stdout.getReader().read()
    await family.stdout.getReader().read()
    while (processTree(family.pid).length < 4) await Bun.sleep(20)
    await Bun.sleep(500)
    const one = treeMemory(alone.pid)
    const four = treeMemory(family.pid)
    expect(one.kind).toBe('pages')
    // More than one process, and far from four: most of a Bun that does nothing is its program.
    expect(four.bytes).toBeGreaterThan(one.bytes)
    expect(four.bytes).toBeLessThan(one.bytes * 2.5)
    // The same for one process as what is resident of it, which others do not make smaller.
    const resident = Number(
      /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${alone.pid}/status`, 'utf8'))?.[1],
    )
    expect(Math.abs(one.bytes / (resident * 1024) - 1)).toBeLessThan(0.1)
  } finally {
    for (const { pid } of [alone, family]) {
      for (const member of processTree(pid)) process.kill(member, 'SIGKILL')
    }
  }
})

onLinux('a process that is gone has no memory', () => {
  expect(treeMemory(2 ** 22).bytes).toBe(0)
})
