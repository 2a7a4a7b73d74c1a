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
    })
  } else {
    i18next.addResourceBundle(language, 'texts', texts, true, true)
    await i18next.changeLanguage(language)
  }
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
}
