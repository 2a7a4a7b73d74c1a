import type { Texts } from './en.ts'
import { accounts } from './zh/accounts.ts'
import { general } from './zh/general.ts'
import { hub } from './zh/hub.ts'
import { live } from './zh/live.ts'
import { problems } from './zh/problems.ts'
import { registry } from './zh/registry.ts'
import { system } from './zh/system.ts'

export const texts: Texts = {
  ...general,
  ...registry,
  ...hub,
  ...live,
  ...accounts,
  ...system,
  ...problems,
  reasons: {},
}
