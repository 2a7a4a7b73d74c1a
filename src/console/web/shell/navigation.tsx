import {
  ApiOutlined,
  AppstoreOutlined,
  AuditOutlined,
  CloudServerOutlined,
  ClusterOutlined,
  ContainerOutlined,
  DashboardOutlined,
  RobotOutlined,
  RocketOutlined,
  SwapOutlined,
  TeamOutlined,
  ThunderboltOutlined,
} from '@ant-design/icons'
import { Link, type LinkProps, useLocation } from '@tanstack/react-router'
import { Menu, type MenuProps } from 'antd'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { useSession } from '../session.ts'

type To = NonNullable<LinkProps['to']>

/** The places of the console. A new area is a line here, a route, and a folder of pages. */
export function Navigation({ onChoose }: { onChoose?: () => void }) {
  const { t } = useTranslation()
  const { account } = useSession()
  const { pathname } = useLocation()

  const place = (to: To, icon: ReactNode, label: string) => ({
    key: to,
    icon,
    label: (
      <Link to={to} onClick={() => onChoose?.()}>
        {label}
      </Link>
    ),
  })
  const items: NonNullable<MenuProps['items']> = [
    ...(account ? [place('/', <DashboardOutlined />, t('nav.overview'))] : []),
    place('/projects', <AppstoreOutlined />, t('nav.projects')),
    ...(account
      ? [
          place('/registries', <CloudServerOutlined />, t('hub.title')),
          place('/inventory', <ContainerOutlined />, t('inventory.title')),
          place('/transfers', <SwapOutlined />, t('transfers.title')),
        ]
      : []),
    ...(account?.admin
      ? [
          {
            type: 'group' as const,
            label: t('nav.system'),
            children: [
              place('/users', <TeamOutlined />, t('nav.users')),
              place('/robots', <RobotOutlined />, t('nav.robots')),
              place('/runners', <ClusterOutlined />, t('runners.title')),
              place('/jobs', <ThunderboltOutlined />, t('nav.jobs')),
              place('/audit', <AuditOutlined />, t('nav.audit')),
            ],
          },
        ]
      : []),
    {
      type: 'group',
      label: t('nav.help'),
      children: [
        ...(account ? [place('/start', <RocketOutlined />, t('nav.start'))] : []),
        place('/api-reference', <ApiOutlined />, t('nav.api')),
      ],
    },
  ]
  const chosen = pathname === '/' ? '/' : `/${pathname.split('/')[1]}`
  return (
    <nav aria-label={t('nav.main')}>
      <Menu mode="inline" items={items} selectedKeys={[chosen]} style={{ border: 0 }} />
    </nav>
  )
}
