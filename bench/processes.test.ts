import { expect, test } from 'bun:test'
import { cpuSeconds, processTree } from './processes.ts'

const onLinux = test.skipIf(process.platform !== 'linux')

onLinux('the tree holds children of children', async () => {
  const shell = Bun.spawn(['sh', '-c', 'sh -c "sleep 30 & wait" & wait'])
  await Bun.sleep(200)
  const tree = processTree(shell.pid)
  try {
    expect(tree.length).toBe(3)
  } finally {
    for (const pid of tree) process.kill(pid, 'SIGKILL')
  }
})

onLinux('CPU time of children that ended counts', async () => {
  const loop = "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'"
  const shell = Bun.spawn(['sh', '-c', `${loop}; echo ended; sleep 30`], { stdout: 'pipe' })
  try {
    await shell.stdout.getReader().read()
    expect(cpuSeconds(shell.pid)).toBeGreaterThan(0.05)
  } finally {
    for (const pid of processTree(shell.pid)) process.kill(pid, 'SIGKILL')
  }
})

onLinux('a process that is gone has used nothing', () => {
  expect(cpuSeconds(2 ** 22)).toBe(0)
})
