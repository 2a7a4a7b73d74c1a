import { BulbOutlined, GlobalOutlined } from '@ant-design/icons'
import { Button, Dropdown } from 'antd'
import { useTranslation } from 'react-i18next'
import { type Language, type ThemeChoice, usePreferences } from '../preferences.ts'

const LANGUAGES: { key: Language; label: string }[] = [
  { key: 'en', label: 'English' },
  { key: 'zh', label: '简体中文' },
]
const THEMES: ThemeChoice[] = ['light', 'dark', 'system']

export function LanguageMenu() {
  const { t } = useTranslation()
  const { language, change } = usePreferences()
  const short = language === 'zh' ? '中' : 'EN'
  return (
    <Dropdown
      trigger={['click']}
      menu={{
        items: LANGUAGES,
        selectedKeys: [language],
        onClick: ({ key }) => change({ language: key as Language }),
      }}
    >
      <Button type="text" icon={<GlobalOutlined />} aria-label={`${t('nav.language')}: ${short}`}>
        {short}
      </Button>
    </Dropdown>
  )
}

export function ThemeMenu() {
  const { t } = useTranslation()
  const { theme, change } = usePreferences()
  return (
    <Dropdown
      trigger={['click']}
      menu={{
        items: THEMES.map((key) => ({ key, label: t(`nav.themes.${key}`) })),
        selectedKeys: [theme],
        onClick: ({ key }) => change({ theme: key as ThemeChoice }),
      }}
    >
      <Button type="text" icon={<BulbOutlined />} aria-label={t('nav.theme')} />
    </Dropdown>
  )
}
