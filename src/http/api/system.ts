import { z } from '@hono/zod-openapi'
import packageJson from '../../../package.json'
import { createDocument } from './openapi.ts'
import { type ApiRoute, type Endpoint, endpoint, route } from './route.ts'

export const systemRoutes = {
  openapi: route({
    name: 'system.openapi',
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    permission: 'open',
    on: 'system',
    output: z.looseObject({ openapi: z.string() }),
  }),
  info: route({
    name: 'system.info',
    method: 'GET',
    path: '/system/info',
    summary: 'Which version runs here',
    permission: 'signed-in',
    on: 'system',
    output: z.object({ version: z.string() }).openapi('SystemInfo'),
  }),
}

export function systemEndpoints(routes: () => readonly ApiRoute[]): Endpoint[] {
  let document: ReturnType<typeof createDocument> | undefined

  return [
    endpoint(systemRoutes.openapi, async () => {
      // Made when first asked for: most processes never are.
      document ??= createDocument(routes())
      return { body: { ...document } }
    }),
    endpoint(systemRoutes.info, async () => ({ body: { version: packageJson.version } })),
  ]
}
