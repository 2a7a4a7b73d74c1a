import type { Provider, ProviderName } from '../provider.ts'
import { acr, acrEnterprise } from './acr.ts'
import { azure } from './azure.ts'
import { dockerhub } from './dockerhub.ts'
import { ecr } from './ecr.ts'
import { gar } from './gar.ts'
import { ghcr } from './ghcr.ts'
import { gitlab } from './gitlab.ts'
import { harbor } from './harbor.ts'
import { jfrog } from './jfrog.ts'
import { native, nexus } from './native.ts'
import { quay } from './quay.ts'
import { swr } from './swr.ts'
import { tcr, tcrEnterprise } from './tcr.ts'

/** What differs between the registries of this world; described in `docs/registries.md`. */
export const PROVIDERS: Record<ProviderName, Provider> = {
  acr,
  'acr-enterprise': acrEnterprise,
  tcr,
  'tcr-enterprise': tcrEnterprise,
  swr,
  ecr,
  gar,
  dockerhub,
  harbor,
  nexus,
  jfrog,
  native,
  azure,
  quay,
  ghcr,
  gitlab,
}
