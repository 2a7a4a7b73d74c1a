import type { Provider, ProviderContext } from '../provider.ts'

/** Every page of a listing; fails when the pages never end. */
export async function listAll(
  provider: Provider,
  context: ProviderContext,
  namespace?: string,
): Promise<{ repositories: string[]; pages: number }> {
  const repositories: string[] = []
  let next: string | undefined
  for (let pages = 1; pages <= 100; pages += 1) {
    const page = await provider.listRepositories?.(context, { namespace, next })
    if (!page) throw new Error('no listing of its own')
    repositories.push(...page.repositories)
    next = page.next
    if (next === undefined) return { repositories, pages }
  }
  throw new Error('the listing never ends')
}

/** The error that `work` ends with. */
export async function failureOf(work: Promise<unknown> | undefined): Promise<Error> {
  try {
    await work
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
  throw new Error('it did not fail')
}
