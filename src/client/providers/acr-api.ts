import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { newHex } from '../../lib/ids.ts'
import { chooseChallenge, parseChallenges } from '../challenge.ts'
import type { ProviderContext } from '../provider.ts'
import { signAlibaba } from './alibaba-signer.ts'
import { type ApiCall, callApi, callJson, type Said } from './api-call.ts'
import { cloudAddress, hostOf } from './endpoint.ts'
import { createTokenMemory } from './token-memory.ts'

/*
 * The API of Alibaba Cloud Container Registry: version 2018-12-01 (RPC) for enterprise instances,
 * 2016-06-07 (REST) for the personal edition. Both are signed alike.
 */

const PLACE_LIFE_MS = 3_600_000

/** Where an address belongs, as the registry itself says in its challenge. */
export interface AcrPlace {
  region: string
  /** `cri-…`; absent in the personal edition. */
  instanceId?: string
}

const Refusal = z.union([
  // The gateway, and enterprise instances.
  z.object({ Code: z.string(), Message: z.string().nullish() }),
  // The personal edition.
  z.object({ code: z.string(), message: z.string().nullish() }),
])

const places = createTokenMemory<AcrPlace>()

/** Reads `service="registry.aliyuncs.com:<region>:<account>[:cri-…]"` of the challenge. */
export async function acrPlace(context: ProviderContext): Promise<AcrPlace> {
  const address = context.apiUrl?.('registry') ?? cloudAddress(context.endpoint)
  const now = context.clock.now()
  return places.remember([address], now, async () => {
    const registry = nameOf(context)
    const url = `${address}/v2/`
    const { headers } = await callApi(context, { registry, purpose: 'tell its challenge', url })
    const challenge = chooseChallenge(parseChallenges(headers.get('www-authenticate')))
    const [host, region, ...rest] = (challenge?.parameters.service ?? '').split(':')
    if (host !== 'registry.aliyuncs.com' || !region) {
      const message = `${registry} does not present itself as Alibaba Cloud Container Registry; check the address and the provider`
      throw new AppError('invalid_input', message, { field: 'address' })
    }
    const instanceId = rest.at(-1)?.startsWith('cri-') ? rest.at(-1) : undefined
    const value = { region, ...(instanceId === undefined ? {} : { instanceId }) }
    return { value, expiresAt: now + PLACE_LIFE_MS }
  })
}

/** An RPC of version 2018-12-01; `InstanceId` is added. */
export async function callEnterprise<T>(
  context: ProviderContext,
  place: AcrPlace,
  purpose: string,
  action: string,
  input: Record<string, string | number | boolean>,
  schema: z.ZodType<T>,
): Promise<T> {
  const query = new URLSearchParams({ InstanceId: place.instanceId ?? '' })
  for (const [name, value] of Object.entries(input)) query.set(name, `${value}`)
  return send(
    context,
    place,
    { purpose, action, version: '2018-12-01', path: `/?${query}` },
    schema,
  )
}

/** A REST call of version 2016-06-07. */
export async function callPersonal<T>(
  context: ProviderContext,
  place: AcrPlace,
  request: { purpose: string; action: string; method?: string; path: string; body?: unknown },
  schema: z.ZodType<T>,
): Promise<T> {
  return send(context, place, { method: 'GET', ...request, version: '2016-06-07' }, schema)
}

async function send<T>(
  context: ProviderContext,
  place: AcrPlace,
  request: {
    purpose: string
    action: string
    version: string
    method?: string
    path: string
    body?: unknown
  },
  schema: z.ZodType<T>,
): Promise<T> {
  const { endpoint, clock } = context
  const { purpose, action, version, method = 'POST', path } = request
  const base = context.apiUrl?.('acr') ?? `https://cr.${place.region}.aliyuncs.com`
  const url = `${base}${path}`
  const body = request.body === undefined ? undefined : JSON.stringify(request.body)
  const headers = signAlibaba({
    method,
    url: new URL(url),
    action,
    version,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body }),
    accessKey: endpoint.accessKey,
    secretKey: endpoint.secretKey,
    now: clock.now(),
    nonce: newHex(16),
  })
  const call: ApiCall = {
    registry: nameOf(context),
    purpose,
    url,
    method,
    headers,
    ...(body === undefined ? {} : { body }),
    isVendorApi: true,
    advice: `check the AccessKey, and that it may call cr:${action}`,
    readRefusal,
  }
  return (await callJson(context, call, schema)).value
}

function nameOf({ endpoint }: ProviderContext): string {
  return `Alibaba ACR at ${hostOf(endpoint)}`
}

/** Enterprise instances also refuse with status 200 and `IsSuccess: false`. */
function readRefusal(body: unknown): Said | undefined {
  if (z.object({ IsSuccess: z.literal(true) }).safeParse(body).success) return undefined
  const parsed = Refusal.safeParse(body)
  if (!parsed.success) return undefined
  const { data } = parsed
  const code = 'Code' in data ? data.Code : data.code
  const message = ('Code' in data ? data.Message : data.message) ?? ''
  if (code.toLowerCase() === 'success') return undefined
  if (/^Throttling/.test(code)) return { code, message, kind: 'throttled' }
  if (/^(?:InvalidTimeStamp|IllegalTimestamp)/.test(code)) {
    return { code, message, kind: 'denied', advice: 'check the clock of this machine' }
  }
  if (/^InvalidSecurityToken/.test(code)) {
    const advice = 'temporary keys of STS end after hours: store the AccessKey of a RAM user'
    return { code, message, kind: 'denied', advice }
  }
  if (
    /^(?:InvalidAccessKeyId|SignatureDoesNotMatch|IncompleteSignature|Forbidden|NoPermission|SignatureNonceUsed|NOT_AUTHORIZED|USER_NO_AUTH)/i.test(
      code,
    )
  ) {
    return { code, message, kind: 'denied' }
  }
  if (/^(?:ServiceUnavailable|InternalError|INTERNAL)/i.test(code)) {
    return { code, message, kind: 'unavailable' }
  }
  return { code, message, kind: /NOT_?(?:EXIST|FOUND)/i.test(code) ? 'absent' : 'invalid' }
}
