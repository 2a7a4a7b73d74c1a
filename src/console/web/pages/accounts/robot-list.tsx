import { PlusOutlined } from '@ant-design/icons'
import { Button, Drawer, Space, Switch } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { patch, post, remove } from '../../api/client.ts'
import type { CreatedRobot, Project, Robot } from '../../api/types.ts'
import { ConfirmRemoval } from '../../parts/confirm-removal.tsx'
import { List, useList } from '../../parts/list.tsx'
import { SecretShown } from '../../parts/secret-shown.tsx'
import { useAct } from '../../parts/use-act.ts'
import { Command, Time } from '../../parts/values.tsx'
import { AccessKeys } from './access-keys.tsx'
import { NewRobot } from './new-robot.tsx'

export interface RobotListProps {
  /** `/robots`, or that of a project. */
  base: string
  /** undefined: robots of the system. */
  project?: Project
}

export function RobotList({ base, project }: RobotListProps) {
  const { t } = useTranslation()
  const list = useList<Robot>({ path: base })
  const [creating, setCreating] = useState(false)
  const [leaving, setLeaving] = useState<Robot>()
  const [renewing, setRenewing] = useState<Robot>()
  const [shown, setShown] = useState<{ name: string; secret: string }>()
  const [keysOf, setKeysOf] = useState<Robot>()
  const renews = [[base]]
  const able = useAct({
    act: (robot: Robot) =>
      patch(`${base}/${robot.id}`, { disabled: !robot.disabled }, robot.version),
    renews,
  })
  const rotate = useAct({
    act: (robot: Robot) => post<{ secret: string }>(`${base}/${robot.id}/rotate`, {}),
    renews,
    quiet: true,
    onDone: ({ secret }, { name }) => {
      setRenewing(undefined)
      setShown({ name, secret })
    },
  })
  const drop = useAct({
    act: (robot: Robot) => remove(`${base}/${robot.id}`),
    done: t('robots.deleted'),
    renews,
    quiet: true,
    onDone: () => setLeaving(undefined),
  })
  const created = ({ name, secret }: CreatedRobot) => {
    setCreating(false)
    setShown({ name, secret })
  }
  return (
    <>
      <div className="filters">
        <Button type="primary" icon={<PlusOutlined />} onClick={() => setCreating(true)}>
          {t('robots.create')}
        </Button>
      </div>
      <List
        list={list}
        label={t('nav.robots')}
        rowKey={({ id }) => id}
        empty={t('robots.none')}
        columns={[
          {
            title: t('robots.name'),
            key: 'name',
            render: (_, robot) => (
              <>
                <span className="mono">{robot.name}</span>
                {robot.description && <div className="cell-note">{robot.description}</div>}
              </>
            ),
          },
          {
            title: t('members.role'),
            key: 'role',
            render: (_, robot) =>
              project
                ? robot.roles.map(({ role }) => t(`roles.${role}`)).join(', ')
                : t('robots.inProjects', { count: robot.roles.length }),
          },
          {
            title: t('common.expires'),
            key: 'expires',
            render: (_, robot) => <Time at={robot.expiresAt} />,
          },
          {
            title: t('robots.enabled'),
            key: 'enabled',
            render: (_, robot) => (
              <Switch
                checked={!robot.disabled}
                aria-label={t('robots.enabledOf', { name: robot.name })}
                onChange={() => able.mutate(robot)}
              />
            ),
          },
          {
            title: <span className="sr-only">{t('common.actions')}</span>,
            key: 'actions',
            align: 'right',
            fixed: 'right',
            render: (_, robot) => (
              <Space>
                <Button onClick={() => setRenewing(robot)}>{t('robots.rotate')}</Button>
                <Button onClick={() => setKeysOf(robot)}>{t('accessKeys.title')}</Button>
                <Button danger type="text" onClick={() => setLeaving(robot)}>
                  {t('common.delete')}
                </Button>
              </Space>
            ),
          },
        ]}
      />
      <NewRobot
        open={creating}
        base={base}
        project={project}
        onClose={() => setCreating(false)}
        onCreated={created}
      />
      <SecretShown
        secret={shown?.secret}
        title={t('robots.secretOf', { name: shown?.name ?? '' })}
        onClose={() => setShown(undefined)}
      >
        <p>{t('robots.signInWith')}</p>
        <Command text={`docker login -u '${shown?.name}' ${window.location.host}`} />
      </SecretShown>
      <Drawer
        open={keysOf !== undefined}
        size={760}
        title={t('accessKeys.of', { name: keysOf?.name ?? '' })}
        onClose={() => setKeysOf(undefined)}
        destroyOnHidden
      >
        {keysOf && (
          <AccessKeys base={`${base}/${keysOf.id}/access-keys`} use={t('accessKeys.useOfRobot')} />
        )}
      </Drawer>
      <ConfirmRemoval
        open={renewing !== undefined}
        title={t('robots.rotateTitle')}
        name={renewing?.name}
        submit={t('robots.rotate')}
        busy={rotate.isPending}
        error={rotate.error}
        onConfirm={() => renewing && rotate.mutate(renewing)}
        onClose={() => {
          rotate.reset()
          setRenewing(undefined)
        }}
      >
        {t('robots.rotateText', { name: renewing?.name ?? '' })}
      </ConfirmRemoval>
      <ConfirmRemoval
        open={leaving !== undefined}
        title={t('robots.deleteTitle')}
        name={leaving?.name}
        busy={drop.isPending}
        error={drop.error}
        onConfirm={() => leaving && drop.mutate(leaving)}
        onClose={() => {
          drop.reset()
          setLeaving(undefined)
        }}
      >
        {t('robots.deleteText', { name: leaving?.name ?? '' })}
      </ConfirmRemoval>
    </>
  )
}
