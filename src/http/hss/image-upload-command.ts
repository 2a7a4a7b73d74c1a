import { parseAddress } from '../../hub/registries/address.ts'
import { shellQuote } from '../../hub/use/shell-quote.ts'
import { AppError } from '../../lib/errors.ts'
import { isRepositoryPath, parseRepositoryName } from '../../oci/reference.ts'
import type { HssDeps } from './hss.ts'
import { asFields, text } from './input.ts'
import { type Endpoint, endpoint, route } from './route.ts'

/** Where this installation keeps what a cluster runs to carry the work. */
const RUNNER = 'system/runner'

export const IMAGE_UPLOAD_COMMAND = route({
  name: 'ShowImageUploadCommand',
  method: 'GET',
  path: '/image/registries/image-upload-command',
  permission: 'project-registry:read',
  query: {
    registry_addr: text(1, 256),
    namespace: text(1, 128),
    username: text(1, 128),
    // Sent by the vendor's clients; it is in no answer, the command asks for it.
    password: text(1, 128),
  },
})

/** How the runner's image comes into a registry that cannot fetch it by itself. */
export function uploadCommandEndpoint({ registry }: Pick<HssDeps, 'registry'>): Endpoint {
  async function newestTag(): Promise<string | undefined> {
    const name = parseRepositoryName(RUNNER)
    const repository = name && (await registry.repositories.find(name))
    if (!repository) return undefined
    const [newest] = await registry.tags.newest(repository.id, { limit: 1 })
    return newest?.name
  }

  return endpoint(IMAGE_UPLOAD_COMMAND, async ({ context, query }) => {
    const { registry_addr: address, namespace, username } = query
    await asFields({ address: 'registry_addr' }, async () => parseAddress(`https://${address}`))
    if (address.startsWith('-') || !isRepositoryPath(namespace)) {
      const field = address.startsWith('-') ? 'registry_addr' : 'namespace'
      throw new AppError('invalid_input', `${field} cannot stand in the name of an image`, {
        field,
      })
    }
    const tag = await newestTag()
    if (tag === undefined) {
      throw new AppError('not_found', `this installation holds no image ${RUNNER} to be uploaded`)
    }
    const { host } = new URL(context.origin)
    const names = { source: `${host}/${RUNNER}:${tag}`, address, namespace, username, tag }
    return {
      image_command: uploadCommand(names),
      images_download_url: `${context.origin}/v2/${RUNNER}/manifests/${tag}`,
      swr_image_pull_command: `docker pull ${shellQuote(names.source)}`,
    }
  })
}

/** For a POSIX shell, whatever the parts hold; docker asks for the password. */
export function uploadCommand(names: {
  source: string
  address: string
  namespace: string
  username: string
  tag: string
}): string {
  const { source, address, namespace, username, tag } = names
  const image = shellQuote(`${address.replace(/\/+$/, '')}/${namespace}/runner:${tag}`)
  return [
    `docker pull ${shellQuote(source)}`,
    `docker login --username=${shellQuote(username)} ${shellQuote(address)}`,
    `docker tag ${shellQuote(source)} ${image}`,
    `docker push ${image}`,
  ].join(' && ')
}
