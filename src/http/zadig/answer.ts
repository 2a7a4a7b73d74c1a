import type { RequestContext } from '../context.ts'

/** JSON as Zadig sends it: no envelope, the charset named. */
export function jsonAnswer(
  { method }: RequestContext,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): Response {
  const body = Buffer.from(JSON.stringify(value))
  return new Response(method === 'HEAD' ? null : body, {
    status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(body.length),
      'cache-control': 'no-store',
      ...headers,
    },
  })
}
