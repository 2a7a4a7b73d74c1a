import type { Provider } from '../../api/hub.ts'
import type { Texts } from '../../locales/en.ts'

type NamespaceLabel = 'namespace' | 'organization' | 'project' | 'repositoryKey' | 'owner' | 'group'
type UserLabel = 'dockerUser' | 'accessKey' | 'accessKeyId' | 'user'
type SecretLabel =
  | 'dockerPassword'
  | 'secretKey'
  | 'secretAccessKey'
  | 'serviceAccountKey'
  | 'password'
  | 'apiKey'
  | 'token'

export interface ProviderForm {
  /** Labels are words of `hub.fields`, hints of `hub.hints`: each in both languages. */
  address: { label: 'address' | 'uri'; example: string }
  /** `required`: nothing in the address can stand for it. */
  region?: { label: 'region' | 'location'; example: string; required: boolean }
  namespace?: { label: NamespaceLabel; example: string; help?: string }
  user: { label: UserLabel; example: string; preset?: string; help?: string }
  secret: { label: SecretLabel; help?: string; long?: boolean }
  hint?: keyof Texts['hub']['hints']
}

const docker = {
  user: { label: 'dockerUser', example: '' },
  secret: { label: 'dockerPassword' },
} as const

const HELP = {
  acrNamespaces: 'https://www.alibabacloud.com/help/zh/container-registry/latest/manage-namespaces',
  tcrNamespaces: 'https://cloud.tencent.com/document/product/1141/39295',
  swrOrganizations: 'https://support.huaweicloud.com/productdesc-swr/swr_03_0003.html',
  swrKeys: 'https://support.huaweicloud.com/usermanual-swr/swr_01_1000.html',
  awsKeys: 'https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html',
  googleKeys: 'https://cloud.google.com/artifact-registry/docs/docker/authentication#json-key',
  harborProjects: 'https://goharbor.io/docs/main/working-with-projects/create-projects/',
  dockerOrganizations: 'https://docs.docker.com/docker-hub/orgs/',
} as const

const acr = { label: 'namespace', example: 'payments', help: HELP.acrNamespaces } as const
const tcr = { label: 'namespace', example: 'payments', help: HELP.tcrNamespaces } as const

/** The form of each provider, in the order in which they are offered. */
export const PROVIDER_FORMS: Record<Provider, ProviderForm> = {
  acr: {
    address: { label: 'address', example: 'https://registry.cn-shanghai.aliyuncs.com' },
    namespace: acr,
    ...docker,
    hint: 'acr',
  },
  'acr-enterprise': {
    address: {
      label: 'address',
      example: 'https://example-registry.cn-shanghai.cr.aliyuncs.com',
    },
    namespace: acr,
    ...docker,
    hint: 'acr-enterprise',
  },
  tcr: {
    address: { label: 'address', example: 'https://ccr.ccs.tencentyun.com' },
    namespace: tcr,
    ...docker,
  },
  'tcr-enterprise': {
    address: { label: 'address', example: 'https://example.tencentcloudcr.com' },
    namespace: tcr,
    ...docker,
    hint: 'tcr-enterprise',
  },
  swr: {
    region: { label: 'region', example: 'cn-east-3', required: false },
    address: { label: 'address', example: 'https://swr.cn-east-3.myhuaweicloud.com' },
    namespace: { label: 'organization', example: 'payments', help: HELP.swrOrganizations },
    user: { label: 'accessKey', example: '', help: HELP.swrKeys },
    secret: { label: 'secretKey', help: HELP.swrKeys },
    hint: 'swr',
  },
  ecr: {
    region: { label: 'region', example: 'ap-northeast-1', required: true },
    address: {
      label: 'uri',
      example: 'https://123456789012.dkr.ecr.ap-northeast-1.amazonaws.com',
    },
    user: { label: 'accessKeyId', example: 'AKIA…', help: HELP.awsKeys },
    secret: { label: 'secretAccessKey', help: HELP.awsKeys },
    hint: 'ecr',
  },
  gar: {
    region: { label: 'location', example: 'europe-west1', required: false },
    address: { label: 'address', example: 'https://europe-west1-docker.pkg.dev' },
    namespace: { label: 'namespace', example: 'project/repository' },
    user: { label: 'user', example: '_json_key_base64', preset: '_json_key_base64' },
    secret: { label: 'serviceAccountKey', help: HELP.googleKeys, long: true },
    hint: 'gar',
  },
  harbor: {
    address: { label: 'address', example: 'https://harbor.example.com' },
    namespace: { label: 'project', example: 'payments', help: HELP.harborProjects },
    user: { label: 'dockerUser', example: 'robot$payments+ci' },
    secret: { label: 'dockerPassword' },
    hint: 'harbor',
  },
  dockerhub: {
    address: { label: 'address', example: 'https://index.docker.io' },
    namespace: { label: 'organization', example: 'example', help: HELP.dockerOrganizations },
    ...docker,
    hint: 'dockerhub',
  },
  jfrog: {
    address: { label: 'address', example: 'https://example.jfrog.io' },
    namespace: { label: 'repositoryKey', example: 'docker-local' },
    user: { label: 'user', example: '' },
    secret: { label: 'apiKey' },
  },
  nexus: {
    address: { label: 'address', example: 'https://nexus.example.com:8083' },
    user: { label: 'user', example: '' },
    secret: { label: 'password' },
    hint: 'nexus',
  },
  azure: {
    address: { label: 'address', example: 'https://example.azurecr.io' },
    namespace: { label: 'namespace', example: '' },
    user: { label: 'user', example: '' },
    secret: { label: 'password' },
  },
  quay: {
    address: { label: 'address', example: 'https://quay.io' },
    namespace: { label: 'organization', example: 'example' },
    user: { label: 'user', example: 'example+ci' },
    secret: { label: 'token' },
  },
  ghcr: {
    address: { label: 'address', example: 'https://ghcr.io' },
    namespace: { label: 'owner', example: 'example' },
    user: { label: 'user', example: '' },
    secret: { label: 'token' },
    hint: 'ghcr',
  },
  gitlab: {
    address: { label: 'address', example: 'https://registry.gitlab.com' },
    namespace: { label: 'group', example: 'example/app' },
    user: { label: 'user', example: '' },
    secret: { label: 'token' },
    hint: 'gitlab',
  },
  native: {
    address: { label: 'address', example: 'https://registry.example.com' },
    namespace: { label: 'namespace', example: '' },
    ...docker,
  },
}

export const PROVIDERS = Object.keys(PROVIDER_FORMS) as Provider[]
