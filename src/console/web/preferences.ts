import { createContext, useContext } from 'react'

/* What a person chose for this browser. Nothing here is secret. */

export type Language = 'en' | 'zh'
export type ThemeChoice = 'light' | 'dark' | 'system'

export interface Preferences {
  language: Language
  theme: ThemeChoice
}

const KEY = 'entrepot.preferences'

export function readPreferences(): Preferences {
  const stored = storedPreferences()
  const speaksChinese = navigator.languages.some((tag) => tag.toLowerCase().startsWith('zh'))
  return {
    language: stored.language ?? (speaksChinese ? 'zh' : 'en'),
    theme: stored.theme ?? 'system',
  }
}

export function keepPreferences(preferences: Preferences): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences))
  } catch {
    // Forbidden by the browser's settings: then they last as long as the page.
  }
}

function storedPreferences(): Partial<Preferences> {
  try {
    const { language, theme } = JSON.parse(localStorage.getItem(KEY) ?? '{}')
    return {
      ...(language === 'en' || language === 'zh' ? { language } : {}),
      ...(theme === 'light' || theme === 'dark' || theme === 'system' ? { theme } : {}),
    }
  } catch {
    return {}
  }
}

interface PreferencesControl extends Preferences {
  change(change: Partial<Preferences>): void
}

export const PreferencesContext = createContext<PreferencesControl>({
  language: 'en',
  theme: 'system',
  change() {},
})

export const usePreferences = () => useContext(PreferencesContext)
