import { basic } from '../acceptance/admin-api.ts'
import type { Server } from '../acceptance/server.ts'

const README = `# Storefront

The web shop: its pages, the checkout and the workers behind them.

## Install

\`\`\`
helm install shop oci://registry.example.com/storefront/storefront --version 1.5.0
\`\`\`

## Values

| Value | Meaning | Default |
|---|---|---|
| \`replicas\` | How many pods serve | 3 |
| \`image.tag\` | Of the image | the chart's app version |
| \`ingress.host\` | Where the shop is | |
| \`redis.enabled\` | Bring a cache along | true |

The chart keeps **no** state of its own. An upgrade from 1.4 needs nothing but \`helm upgrade\`.
`

const VALUES = `# How many pods serve.
replicas: 3
image:
  repository: registry.example.com/storefront/web
  tag: ""
ingress:
  host: shop.example.com
redis:
  enabled: true
`

const chartYaml = (version: string): string => `apiVersion: v2
name: storefront
version: ${version}
appVersion: "3.9.0"
description: The web shop with its checkout and workers
home: https://handbook.example.com/storefront
keywords: [shop, checkout]
maintainers:
  - name: Shop team
    email: shop@example.com
dependencies:
  - name: redis
    version: 21.x.x
    repository: oci://registry.example.com/platform
    condition: redis.enabled
`

/** By the way of ChartMuseum, which takes the archive as it is. */
export const pushChart = async (server: Server, project: string, version: string) => {
  const archive = new Bun.Archive({
    'storefront/Chart.yaml': chartYaml(version),
    'storefront/values.yaml': VALUES,
    'storefront/README.md': README,
    'storefront/templates/service.yaml': 'apiVersion: v1\nkind: Service\n',
  })
  const form = new FormData()
  const content = Bun.gzipSync(new Uint8Array(await archive.bytes()))
  form.append('chart', new Blob([content]), `storefront-${version}.tgz`)
  const answer = await fetch(`${server.url}/charts/api/${project}/charts`, {
    method: 'POST',
    headers: { authorization: basic(server.admin) },
    body: form,
  })
  if (answer.status !== 201) throw new Error(`chart: ${answer.status} ${await answer.text()}`)
}
