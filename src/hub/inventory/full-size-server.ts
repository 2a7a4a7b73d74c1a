import { startArtifactoryServer } from './test-artifactory-server.ts'
import { fullSize } from './test-full-size.ts'
import { startHarborServer } from './test-harbor-server.ts'

/* A process of its own, so that the memory of the one that reads is its alone. */

const server =
  process.argv[2] === 'harbor' ? startHarborServer(fullSize()) : startArtifactoryServer(fullSize())
server.tooManyEvery = 499
process.on('message', (wanted) => {
  process.send?.({ counts: server.counts, requests: server.requests() })
  if (wanted === 'reset') server.reset()
})
process.send?.({ url: server.url })
