import { type QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { App, ConfigProvider, type ConfigProviderProps } from 'antd'
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import { speak } from './i18n.ts'
import { type Live, LiveContext } from './live/live.ts'
import {
  keepPreferences,
  type Language,
  type Preferences,
  PreferencesContext,
} from './preferences.ts'
import type { ConsoleRouter } from './router.tsx'
import { themeFor } from './theme.ts'

type LibraryTexts = ConfigProviderProps['locale']

const LIBRARY_TEXTS: Record<Language, () => Promise<LibraryTexts>> = {
  en: async () => undefined,
  zh: async () => (await import('antd/locale/zh_CN')).default,
}

export interface ApplicationProps {
  queries: QueryClient
  router: ConsoleRouter
  live: Live
  initial: Preferences
  /** Lets the components write their styles under the content security policy. */
  nonce: string
}

export function Application({ queries, router, live, initial, nonce }: ApplicationProps) {
  const [preferences, setPreferences] = useState(initial)
  const [libraryTexts, setLibraryTexts] = useState<LibraryTexts>()
  const prefersDark = usePrefersDark()
  const { language, theme } = preferences
  const dark = theme === 'system' ? prefersDark : theme === 'dark'

  useEffect(() => {
    let current = true
    void LIBRARY_TEXTS[language]().then((texts) => current && setLibraryTexts(texts))
    return () => {
      current = false
    }
  }, [language])

  useEffect(() => {
    document.documentElement.dataset.theme = dark ? 'dark' : 'light'
    document.documentElement.style.colorScheme = dark ? 'dark' : 'light'
  }, [dark])

  const control = useMemo(
    () => ({
      ...preferences,
      change(change: Partial<Preferences>) {
        const next = { ...preferences, ...change }
        keepPreferences(next)
        void speak(next.language).then(() => setPreferences(next))
      },
    }),
    [preferences],
  )

  return (
    <PreferencesContext value={control}>
      <ConfigProvider
        theme={themeFor(dark, !calm.matches)}
        csp={{ nonce }}
        button={{ autoInsertSpace: false }}
        {...(libraryTexts === undefined ? {} : { locale: libraryTexts })}
      >
        <App message={{ maxCount: 3 }} notification={{ placement: 'topRight' }}>
          <QueryClientProvider client={queries}>
            <LiveContext value={live}>
              <RouterProvider router={router} />
            </LiveContext>
          </QueryClientProvider>
        </App>
      </ConfigProvider>
    </PreferencesContext>
  )
}

/** Who asks for less motion gets none: what does not move needs not be waited for either. */
const calm = window.matchMedia('(prefers-reduced-motion: reduce)')

const darkScheme = window.matchMedia('(prefers-color-scheme: dark)')

function usePrefersDark(): boolean {
  return useSyncExternalStore(
    (notify) => {
      darkScheme.addEventListener('change', notify)
      return () => darkScheme.removeEventListener('change', notify)
    },
    () => darkScheme.matches,
  )
}
