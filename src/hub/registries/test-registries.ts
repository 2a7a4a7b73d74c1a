import { createTestAccounts, type TestAccounts, testSealer } from '../../accounts/test-accounts.ts'
import type { TestDatabase } from '../../store/db/test-databases.ts'
import type { RegistryRecord } from './record.ts'
import { createRegistries, type Registries } from './registries.ts'
import type { Use } from './uses.ts'
import type { NewRegistry } from './write.ts'

/** Registries on a database of their own. */
export interface TestRegistries {
  accounts: TestAccounts
  registries: Registries
  /** Further uses, by the registry's id. */
  uses: Map<string, Use[]>
  /** Ids, in the order in which creation and updates told of them. */
  changed: string[]
  /** A Harbor with a secret. */
  add(name: string, settings?: Partial<NewRegistry>): Promise<RegistryRecord>
  /** Name of the default. */
  defaultName(): Promise<string | undefined>
  remove(): Promise<void>
}

export const BY_ADMIN = { mayUsePrivate: true } as const

/** Planted: nothing but `open` may ever show it. */
export const PLANTED = 'planted-7f3e-secret'

export async function createTestRegistries(
  create?: () => Promise<TestDatabase>,
): Promise<TestRegistries> {
  const accounts = await createTestAccounts({}, create)
  const { db, clock } = accounts
  const uses = new Map<string, Use[]>()
  const changed: string[] = []
  const registries = createRegistries({
    db,
    clock,
    sealer: testSealer,
    useSources: [async (_, registry) => uses.get(registry) ?? []],
    async whenChanged(_, { id }) {
      changed.push(id)
    },
  })
  return {
    accounts,
    registries,
    uses,
    changed,
    add(name, settings = {}) {
      return registries.create(
        {
          name,
          provider: 'harbor',
          address: `https://${name}.example.com`,
          accessKey: 'ci',
          secret: PLANTED,
          origin: 'api',
          createdBy: null,
          ...settings,
        },
        BY_ADMIN,
      )
    },
    async defaultName() {
      return (await registries.list({})).find(({ isDefault }) => isDefault)?.name
    },
    remove: () => accounts.remove(),
  }
}
