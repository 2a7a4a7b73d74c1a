import { MoreOutlined, PlusOutlined } from '@ant-design/icons'
import { Button, Dropdown, Tag } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { path, post, remove } from '../../api/client.ts'
import type { Runner, RunnerInvitation, RunnerState } from '../../api/hub.ts'
import { useFormat } from '../../format.ts'
import { useLivePace } from '../../live/live.ts'
import { ConfirmRemoval } from '../../parts/confirm-removal.tsx'
import { List, useList } from '../../parts/list.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { useAct } from '../../parts/use-act.ts'
import { Time } from '../../parts/values.tsx'
import { InvitationShown, type ShownInvitation } from './invitation-shown.tsx'
import { NewRunner } from './new-runner.tsx'

const ASK_MS = 3_000
const COLORS: Record<RunnerState, string> = {
  invited: 'blue',
  online: 'green',
  away: 'orange',
  revoked: 'default',
}

/** The programs that speak to registries which the server cannot reach itself. */
export function RunnersPage() {
  const { t } = useTranslation()
  const format = useFormat()
  const every = useLivePace(ASK_MS)
  const list = useList<Runner>({ path: '/runners', every })
  const [creating, setCreating] = useState(false)
  const [shown, setShown] = useState<ShownInvitation>()
  return (
    <div className="page">
      <PageHead
        title={t('runners.title')}
        actions={
          <Button type="primary" icon={<PlusOutlined />} onClick={() => setCreating(true)}>
            {t('runners.create')}
          </Button>
        }
      >
        <p className="intro" style={{ margin: '4px 0 0' }}>
          {t('runners.intro')}
        </p>
      </PageHead>
      <List
        list={list}
        label={t('runners.title')}
        rowKey={({ id }) => id}
        empty={t('runners.none')}
        columns={[
          {
            title: t('runners.name'),
            key: 'name',
            render: (_, { id, name, project }) => (
              <>
                <strong>{name}</strong>
                {name !== id && <div className="cell-note mono">{id}</div>}
                {project && <div className="cell-note">{t('runners.ofProject', { project })}</div>}
              </>
            ),
          },
          {
            title: t('jobs.state'),
            key: 'state',
            render: (_, { state }) => (
              <Tag color={COLORS[state]}>{t(`runners.states.${state}`)}</Tag>
            ),
          },
          {
            title: t('runners.lastSeen'),
            key: 'seen',
            render: (_, { lastSeenAt }) => <Time at={lastSeenAt} />,
          },
          {
            title: t('runners.tasks'),
            key: 'tasks',
            render: (_, { tasksRunning, tasksWaiting }) =>
              t('runners.taskCounts', {
                running: format.number(tasksRunning),
                waiting: format.number(tasksWaiting),
              }),
          },
          {
            title: t('hub.title'),
            key: 'registries',
            align: 'right',
            render: (_, { registryCount }) => format.number(registryCount),
          },
          {
            title: t('runners.version'),
            key: 'version',
            responsive: ['md'],
            render: (_, { version }) => version || '–',
          },
        ]}
        smallActions
        actions={(runner) => <RunnerActions runner={runner} onInvited={setShown} />}
      />
      <NewRunner
        open={creating}
        onClose={() => setCreating(false)}
        onCreated={({ runner, token, expiresAt }) => {
          setCreating(false)
          setShown({ name: runner.name, token, expiresAt })
        }}
      />
      <InvitationShown shown={shown} onClose={() => setShown(undefined)} />
    </div>
  )
}

type Window = 'revoke' | 'delete' | undefined

function RunnerActions(props: {
  runner: Runner
  onInvited: (invitation: ShownInvitation) => void
}) {
  const { runner, onInvited } = props
  const { id, name, state, registryCount } = runner
  const { t } = useTranslation()
  const [open, setOpen] = useState<Window>()
  const renews = [['/runners'], ['/overview']]
  const invite = useAct({
    act: () => post<RunnerInvitation>(path`/runners/${id}/enrolment`),
    renews,
    onDone: (invitation) => onInvited({ name, ...invitation }),
  })
  const leave = useAct({
    act: (how: 'revoke' | 'delete') =>
      how === 'revoke' ? post(path`/runners/${id}/revoke`) : remove(path`/runners/${id}`),
    renews,
    quiet: true,
    onDone: () => setOpen(undefined),
  })
  const close = () => {
    leave.reset()
    setOpen(undefined)
  }
  return (
    <>
      <Dropdown
        trigger={['click']}
        menu={{
          items: [
            { key: 'invite', label: t('runners.newToken') },
            { type: 'divider' },
            {
              key: 'revoke',
              danger: true,
              disabled: state === 'revoked',
              label: t('runners.revoke'),
            },
            { key: 'delete', danger: true, label: t('common.delete') },
          ],
          onClick: ({ key }) => (key === 'invite' ? invite.mutate() : setOpen(key as Window)),
        }}
      >
        <Button type="text" icon={<MoreOutlined />} aria-label={t('runners.actionsOf', { name })} />
      </Dropdown>
      <ConfirmRemoval
        open={open === 'revoke'}
        title={t('runners.revokeTitle', { name })}
        name={id}
        submit={t('runners.revoke')}
        busy={leave.isPending}
        error={leave.error}
        onConfirm={() => leave.mutate('revoke')}
        onClose={close}
      >
        {t('runners.revokeText', { count: registryCount })}
      </ConfirmRemoval>
      <ConfirmRemoval
        open={open === 'delete'}
        title={t('runners.deleteTitle', { name })}
        name={id}
        busy={leave.isPending}
        error={leave.error}
        onConfirm={() => leave.mutate('delete')}
        onClose={close}
      >
        {t('runners.deleteText', { count: registryCount })}
      </ConfirmRemoval>
    </>
  )
}
