import { z } from 'zod'
import { PROVIDER_NAMES, type ProviderName } from '../../client/provider.ts'
import type { RegistryRecord } from '../../hub/registries/record.ts'
import type { RegistrySettings } from '../../hub/registries/settings.ts'
import { AppError } from '../../lib/errors.ts'
import type { JsonObject } from '../../oci/json.ts'

/*
 * The bodies of POST and PUT. The checks come in Zadig's order and with its words, where it has
 * some; what it does not check is left to the rules that all faces share.
 */

const string = z.string({ error: 'must be a string' }).optional()
const bool = z.boolean({ error: 'must be true or false' }).optional()

/** Unknown fields are let pass, and `registry_id` is one of them: the path says which. */
const Body = z.object({
  address: string,
  provider: string,
  region: string,
  namespace: string,
  is_default: bool,
  access_key: string,
  secret_key: string,
  enable_tls: bool,
  tls_cert: string,
})

type Sent = z.output<typeof Body>

/** What Zadig calls a field that is empty. */
interface Words {
  address: string
  provider: string
  namespace: string
}

const OF_POST: Words = {
  address: 'address cannot be empty',
  provider: 'unsupported registry provider',
  namespace: 'namespace cannot be empty',
}
const OF_PUT: Words = {
  address: 'empty reg_addr',
  provider: 'empty reg_provider',
  namespace: 'empty namespace',
}

/** What all calls send; keys and TLS are added by each in its way. */
type Asked = RegistrySettings & { region: string; namespace: string }

/** A registry to add. @throws AppError invalid_input */
export function parseNew(body: JsonObject, { verifyTls }: { verifyTls: boolean }): Asked {
  const sent = parseSent(body)
  return {
    ...common(sent, OF_POST),
    accessKey: sent.access_key,
    secret: sent.secret_key,
    verifyTls: sent.enable_tls ?? verifyTls,
    caCertificate: sent.tls_cert,
  }
}

/**
 * A change: address, provider, namespace and region are replaced, the rest is kept where absent.
 * @throws AppError invalid_input
 */
export function parseChange(body: JsonObject, previous: RegistryRecord): Asked {
  const sent = parseSent(body)
  return {
    ...common(sent, OF_PUT, previous),
    ...(sent.access_key === undefined ? {} : { accessKey: sent.access_key }),
    ...(sent.secret_key === undefined ? {} : { secret: sent.secret_key }),
    ...(sent.enable_tls === undefined ? {} : { verifyTls: sent.enable_tls }),
    ...(sent.tls_cert === undefined ? {} : { caCertificate: sent.tls_cert }),
  }
}

function common(sent: Sent, words: Words, previous?: RegistryRecord): Asked {
  const { address = '', provider = '', region = '', namespace = '', is_default: isDefault } = sent
  if (address.trim() === '') throw invalid(words.address)
  if (provider === '') throw invalid(words.provider)
  const known = PROVIDER_NAMES.find((name) => name === provider)
  if (!known) throw invalid(OF_POST.provider)
  // Records of other faces may have none, and are written back as they were read.
  if (namespace.trim() === '' && needsNamespace(known) && previous?.namespace !== '') {
    throw invalid(words.namespace)
  }
  if (known === 'ecr' && region.trim() === '') {
    throw invalid('region is a required field for ECR provider')
  }
  if (!/^\s*https?:\/\/[^/]/i.test(address)) throw invalid('address needs to be a valid URL')
  return { address, provider: known, region, namespace, isDefault }
}

/** Of ECR the address says all; the others have organizations, projects or the like. */
const needsNamespace = (provider: ProviderName) => provider !== 'ecr'

function parseSent(body: JsonObject): Sent {
  const result = Body.safeParse(body)
  if (result.success) return result.data
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`)
  throw invalid(problems.join('; '))
}

function invalid(message: string): AppError {
  return new AppError('invalid_input', message)
}
