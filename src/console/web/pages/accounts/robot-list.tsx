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
import { useConfirmed } from '../../parts/use-confirmed.ts'
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
  const [shown, setShown] = useState<{ name: string; secret: string }>()
  const [keysOf, setKeysOf] = useState<Robot>()
  const renews = [[base]]
  const able = useAct({
    act: (robot: Robot) =>
      patch(`${base}/${robot.id}`, { disabled: !robot.disabled }, robot.version),
    renews,
  })
  const rotate = useConfirmed({
    act: (robot: Robot) => post<{ secret: string }>(`${base}/${robot.id}/rotate`, {}),
    renews,
    onDone: ({ secret }, { name }) => {
      setShown({ name, secret })
    },
  })
  const drop = useConfirmed({
    act: (robot: Robot) => remove(`${base}/${robot.id}`),
    done: t('robots.deleted'),
    renews,
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
        ]}
        actions={(robot) => (
          <Space>
            <Button onClick={() => rotate.ask(robot)}>{t('robots.rotate')}</Button>
            <Button onClick={() => setKeysOf(robot)}>{t('accessKeys.title')}</Button>
            <Button danger type="text" onClick={() => drop.ask(robot)}>
              {t('common.delete')}
            </Button>
          </Space>
        )}
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
        {...rotate.asking}
        title={t('robots.rotateTitle')}
        name={rotate.item?.name}
        submit={t('robots.rotate')}
      >
        {t('robots.rotateText', { name: rotate.item?.name ?? '' })}
      </ConfirmRemoval>
      <ConfirmRemoval {...drop.asking} title={t('robots.deleteTitle')} name={drop.item?.name}>
        {t('robots.deleteText', { name: drop.item?.name ?? '' })}
      </ConfirmRemoval>
    </>
  )
}
