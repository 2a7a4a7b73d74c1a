import { startArtifactoryServer } from './test-artifactory-server.ts'
import { startHarborServer } from './test-harbor-server.ts'

const REPOSITORIES = 2_000
const TAGS = 50

/** 2,000 repositories of 50 tags, one of them an index. */
export function fullSize(): Record<string, string[]> {
  const tags = Array.from({ length: TAGS }, (_, i) => (i === 25 ? 'multi-25' : `1.0.${i}`))
  return Object.fromEntries(
    Array.from({ length: REPOSITORIES }, (_, i) => [`team-${i % 20}/service-${i}`, tags]),
  )
}

/** What plays the registry, in a process of its own: the memory of the one that reads is its alone. */
export const FULL_SIZE_SERVER = import.meta.path

if (import.meta.main) {
  const isHarbor = process.argv[2] === 'harbor'
  const server = isHarbor ? startHarborServer(fullSize()) : startArtifactoryServer(fullSize())
  server.tooManyEvery = 499
  process.on('message', (wanted) => {
    process.send?.({ counts: server.counts, requests: server.requests() })
    if (wanted === 'reset') server.reset()
  })
  process.send?.({ url: server.url })
}
