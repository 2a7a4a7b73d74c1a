import type { LoadedConfig } from '../lib/config.ts'
import { describeSettings, printConfig } from '../lib/config-docs.ts'
import { loadTls } from '../lib/tls.ts'

/** Loading has found the problems of the values; what the files hold is looked at here. */
export function checkConfig({ config, warnings }: LoadedConfig): void {
  if (!config.listen.tls.selfSigned) loadTls(config)
  for (const warning of warnings) process.stderr.write(`entrepot: ${warning}\n`)
  process.stdout.write('the settings are right\n')
}

export function printSettings(loaded: LoadedConfig): void {
  for (const warning of loaded.warnings) process.stderr.write(`entrepot: ${warning}\n`)
  process.stdout.write(printConfig(loaded))
}

export function printReference(): void {
  process.stdout.write(describeSettings())
}
