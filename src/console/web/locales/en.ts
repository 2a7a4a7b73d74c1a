import { accounts } from './en/accounts.ts'
import { general } from './en/general.ts'
import { hub } from './en/hub.ts'
import { live } from './en/live.ts'
import { problems } from './en/problems.ts'
import { registry } from './en/registry.ts'
import { system } from './en/system.ts'

/** Every text of the console in English; the other tables have the same keys, or do not compile. */
export const texts = {
  ...general,
  ...registry,
  ...hub,
  ...live,
  ...accounts,
  ...system,
  ...problems,
}

export type Texts = typeof texts
