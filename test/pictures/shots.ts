/* Which pictures there are: one file each in `docs/pictures/<language>`. */

export const LANGUAGES = ['en', 'zh'] as const
export type Language = (typeof LANGUAGES)[number]

export interface Shot {
  name: string
  /** Of the console; names in braces are ids that are known when it runs. */
  path: string
  theme?: 'light' | 'dark'
  /** The width of a phone. */
  phone?: true
}

const WEB = '/projects/storefront/repositories/web'

export const SHOTS: readonly Shot[] = [
  { name: 'overview', path: '/' },
  { name: 'repository', path: WEB },
  { name: 'artifact', path: `${WEB}/artifacts/{web}?tag=3.9.0` },
  {
    name: 'layers',
    path: '/projects/storefront/repositories/checkout/artifacts/{checkout}?tag=4.3.0&tab=layers',
  },
  { name: 'chart', path: '/projects/storefront/repositories/storefront/charts' },
  { name: 'registries', path: '/registries' },
  { name: 'connection-test', path: '/registries/{harbor}?tab=test', theme: 'dark' },
  { name: 'inventory', path: '/inventory' },
  { name: 'transfer', path: '/transfers/{running}' },
  { name: 'start', path: '/start' },
  { name: 'phone', path: WEB, phone: true },
]

const folderOf = (language: Language): string => `docs/pictures/${language}`
export const fileOf = (shot: Shot, language: Language): string =>
  `${folderOf(language)}/${shot.name}.webp`
