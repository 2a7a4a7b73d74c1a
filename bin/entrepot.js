#!/usr/bin/env node
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/*
 * What `npx entrepot` starts, with Node: finds the Bun that npm installed beside this package and
 * hands everything over to it.
 */

const program = fileURLToPath(new URL('../dist/program/main.js', import.meta.url))
const require = createRequire(import.meta.url)

function findBun() {
  const manifest = require.resolve('bun/package.json')
  const executable = join(dirname(manifest), JSON.parse(readFileSync(manifest, 'utf8')).bin.bun)
  // With --ignore-scripts only a placeholder is there; the real one is in a package of its own.
  const platform = `@oven/bun-${process.platform}-${process.arch === 'arm64' ? 'aarch64' : process.arch}`
  try {
    const own = join(
      dirname(createRequire(manifest).resolve(`${platform}/package.json`)),
      'bin/bun',
    )
    if (existsSync(own)) return own
  } catch {
    // Such as with musl, where the package has another name.
  }
  return executable
}

const child = spawn(
  findBun(),
  ['--max-http-header-size=65536', program, ...process.argv.slice(2)],
  { stdio: 'inherit' },
)
// Ctrl-C reaches the whole group, and a second SIGINT would end the registry at once.
process.on('SIGINT', () => {})
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('error', (error) => {
  process.stderr.write(`entrepot: Bun could not be started: ${error.message}\n`)
  process.exitCode = 1
})
child.on('exit', (code, signal) => {
  process.exitCode = signal ? 128 + constants.signals[signal] : (code ?? 1)
})
