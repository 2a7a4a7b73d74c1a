import { LogoutOutlined, UserOutlined } from '@ant-design/icons'
import { useQueryClient } from '@tanstack/react-query'
import { Link, useLocation, useNavigate, useRouter } from '@tanstack/react-router'
import { Button, Dropdown, Grid } from 'antd'
import { useTranslation } from 'react-i18next'
import { remove } from '../api/client.ts'
import { sessionQuery, useSession } from '../session.ts'

export function UserMenu() {
  const { t } = useTranslation()
  const { account } = useSession()
  const navigate = useNavigate()
  const router = useRouter()
  const queries = useQueryClient()
  const location = useLocation()
  const wide = Grid.useBreakpoint().sm ?? true

  if (!account) {
    return (
      <Link to="/sign-in" search={{ back: location.href }}>
        <Button type="primary">{t('signIn.signIn')}</Button>
      </Link>
    )
  }

  const shown = account.displayName || account.name

  async function signOut() {
    await remove('/session')
    queries.clear()
    await queries.fetchQuery(sessionQuery)
    await router.invalidate()
    await navigate({ to: '/sign-in' })
  }

  return (
    <Dropdown
      trigger={['click']}
      menu={{
        items: [
          { key: 'account', icon: <UserOutlined />, label: t('nav.account') },
          { key: 'out', icon: <LogoutOutlined />, label: t('nav.signOut') },
        ],
        onClick: ({ key }) => {
          if (key === 'account') void navigate({ to: '/account' })
          else void signOut()
        },
      }}
    >
      <Button type="text" icon={<UserOutlined />} aria-label={t('nav.userMenu', { name: shown })}>
        {wide ? shown : null}
      </Button>
    </Dropdown>
  )
}
