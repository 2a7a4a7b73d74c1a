/* Every address of the console, with content, and the windows in them; capitals stand for ids. */

const REPOSITORY = '/projects/sample/repositories/shop%2Fweb'

export const PAGES = [
  '/sign-in',
  '/',
  '/start',
  '/projects',
  '/projects/sample',
  '/projects/sample/members',
  '/projects/sample/robots',
  '/projects/sample/settings',
  '/projects/sample/usage',
  '/search?q=shop',
  REPOSITORY,
  `${REPOSITORY}/artifacts`,
  `${REPOSITORY}/compare?left=2.3.1&right=latest`,
  `${REPOSITORY}/about`,
  `${REPOSITORY}/artifacts/DIGEST?tag=2.3.1`,
  `${REPOSITORY}/artifacts/DIGEST?tab=layers`,
  `${REPOSITORY}/artifacts/DIGEST?tab=config`,
  `${REPOSITORY}/artifacts/INDEX?tab=parts`,
  `${REPOSITORY}/artifacts/INDEX?tab=referrers`,
  '/projects/sample/repositories/storefront/charts',
  '/registries',
  '/registries/new',
  '/runners',
  '/registries/REGISTRY',
  '/registries/REGISTRY?tab=syncs',
  '/registries/REGISTRY?tab=means',
  '/registries/REGISTRY?tab=trust',
  '/registries/REGISTRY?tab=uses',
  '/registries/REGISTRY/edit',
  '/inventory',
  '/inventory?registry=REGISTRY',
  '/transfers',
  '/transfers/TRANSFER',
  '/users',
  '/robots',
  '/account',
  '/audit',
  '/jobs',
  '/api-reference',
  '/projects/none',
  '/nowhere/at-all',
]

/**
 * Windows in a page, one of each kind: where, and what the button that opens it is called in both
 * languages.
 */
export const DIALOGS: [path: string, en: string, zh: string][] = [
  ['/projects', 'New project', '新建项目'],
  ['/projects/sample/members', 'Add a member', '添加成员'],
  ['/projects/sample/members', 'Remove', '移除'],
  ['/projects/sample/robots', 'New robot account', '新建机器人账号'],
  [`${REPOSITORY}/artifacts/DIGEST?tag=2.3.1`, 'Delete artifact', '删除制品'],
  [`${REPOSITORY}/artifacts/DIGEST?tag=2.3.1`, 'Copy to …', '复制到……'],
  ['/registries', 'Delete', '删除'],
  ['/runners', 'New runner', '新建执行器'],
  ['/users', 'New user', '新建用户'],
  ['/users', 'New password', '重设密码'],
  ['/account', 'New API token', '新建 API 令牌'],
  ['/account', 'New access key', '新建访问密钥'],
]
