import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import type { Texts } from './locales/en.ts'
import type { Language } from './preferences.ts'

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'texts'
    resources: { texts: Texts }
  }
}

/** One language is loaded at a time; the other when somebody asks for it. */
const TABLES: Record<Language, () => Promise<{ texts: Texts }>> = {
  en: () => import('./locales/en.ts'),
  zh: () => import('./locales/zh.ts'),
}

/** What comes later than the page; the server's own sentences are English. */
const LATER: Record<Language, () => Promise<object>> = {
  en: async () => ({}),
  zh: async () => (await import('./locales/zh/reasons.ts')).reasons,
}

export async function speak(language: Language): Promise<void> {
  const { texts } = await TABLES[language]()
  if (!i18next.isInitialized) {
    await i18next.use(initReactI18next).init({
      lng: language,
      ns: ['texts'],
      defaultNS: 'texts',
      resources: { [language]: { texts } },
      // React escapes what it shows.
      interpolation: { escapeValue: false },
      returnNull: false,
      // What comes later is shown when it is there.
      react: { bindI18nStore: 'added' },
    })
  } else {
    i18next.addResourceBundle(language, 'texts', texts, true, true)
    await i18next.changeLanguage(language)
  }
  void LATER[language]().then((reasons) => {
    i18next.addResourceBundle(language, 'texts', { reasons }, true, true)
  })
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
}
