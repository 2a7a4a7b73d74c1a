import { useQuery } from '@tanstack/react-query'
import { get, path, post } from '../../api/client.ts'
import type { ConnectionReport, Registry, RegistryUse } from '../../api/hub.ts'
import { useAct } from '../../parts/use-act.ts'

export function useRegistry(id: string) {
  return useQuery({
    queryKey: ['/registries', id],
    queryFn: ({ signal }) => get<Registry>(path`/registries/${id}`, {}, signal),
  })
}

/** Who uses a registry; administrators may ask. */
export function useUses(id: string | undefined) {
  return useQuery({
    queryKey: ['/registries', id, 'uses'],
    queryFn: async ({ signal }) => {
      const address = path`/registries/${id ?? ''}/uses`
      return (await get<{ items: RegistryUse[] }>(address, {}, signal)).items
    },
    enabled: id !== undefined,
  })
}

/** Tests a stored registry; its record and its last test are read again then. */
export function useTestStored(id: string) {
  return useAct({
    act: () => post<ConnectionReport>(path`/registries/${id}/test`),
    renews: [['/registries']],
    quiet: true,
  })
}
