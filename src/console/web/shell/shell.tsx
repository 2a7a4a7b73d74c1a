import { MenuOutlined } from '@ant-design/icons'
import { Outlet } from '@tanstack/react-router'
import { Alert, Button, Drawer, Grid, Layout, theme } from 'antd'
import { use, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ConnectionBanner } from '../live/connection-banner.tsx'
import { LiveContext } from '../live/live.ts'
import { useSession } from '../session.ts'
import { Brand } from './brand.tsx'
import { LanguageMenu, ThemeMenu } from './choices.tsx'
import { GlobalSearch, SearchLink } from './global-search.tsx'
import { Navigation } from './navigation.tsx'
import { PasswordReminder } from './password-reminder.tsx'
import { UserMenu } from './user-menu.tsx'

/** What surrounds every page: navigation at the side, or behind a button where it is narrow. */
export function Shell() {
  const { t } = useTranslation()
  const { token } = theme.useToken()
  const { lg, md } = Grid.useBreakpoint()
  const wide = lg ?? window.innerWidth >= 992
  const roomy = md ?? window.innerWidth >= 768
  const [open, setOpen] = useState(false)
  const { account, hasGeneratedPassword } = useSession()
  useLiveFor(account !== null)
  const side = { background: token.colorBgContainer, borderColor: token.colorBorderSecondary }

  return (
    <Layout style={{ minHeight: '100vh' }}>
      <a className="skip" href="#content">
        {t('nav.skip')}
      </a>
      {wide && (
        <Layout.Sider
          width={228}
          theme="light"
          style={{
            ...side,
            borderInlineEnd: `1px solid ${token.colorBorderSecondary}`,
            position: 'sticky',
            top: 0,
            height: '100vh',
            overflowY: 'auto',
          }}
        >
          <Brand />
          <Navigation />
        </Layout.Sider>
      )}
      <Layout>
        <Layout.Header
          style={{
            background: token.colorBgContainer,
            borderBottom: `1px solid ${token.colorBorderSecondary}`,
            display: 'flex',
            alignItems: 'center',
            gap: 4,
            padding: wide ? '0 20px' : '0 8px',
            position: 'sticky',
            top: 0,
            zIndex: 5,
          }}
        >
          {!wide && (
            <>
              <Button
                type="text"
                icon={<MenuOutlined />}
                aria-label={t('nav.open')}
                aria-expanded={open}
                onClick={() => setOpen(true)}
              />
              <Brand small />
            </>
          )}
          {roomy && <GlobalSearch />}
          <div style={{ flex: 1 }} />
          {!roomy && <SearchLink />}
          <LanguageMenu />
          <ThemeMenu />
          <UserMenu />
        </Layout.Header>
        <Layout.Content id="content" role="main" tabIndex={-1} style={{ outline: 'none' }}>
          <ConnectionBanner />
          {hasGeneratedPassword && (
            <Alert banner type="warning" title={<PasswordReminder />} role="status" />
          )}
          <Outlet />
        </Layout.Content>
      </Layout>
      {!wide && (
        <Drawer
          placement="left"
          size={264}
          open={open}
          onClose={() => setOpen(false)}
          title="Entrepot"
          styles={{ section: { background: token.colorBgContainer }, body: { padding: 0 } }}
        >
          <Navigation onChoose={() => setOpen(false)} />
        </Drawer>
      )}
    </Layout>
  )
}

/** Events are followed while somebody is signed in and a page is shown. */
function useLiveFor(isSignedIn: boolean): void {
  const live = use(LiveContext)
  useEffect(() => {
    live?.want(isSignedIn)
    return () => live?.want(false)
  }, [live, isSignedIn])
}
