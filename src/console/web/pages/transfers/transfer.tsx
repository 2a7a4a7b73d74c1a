import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Alert, Card, Space } from 'antd'
import { Fragment, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, get, path } from '../../api/client.ts'
import type { Transfer } from '../../api/hub.ts'
import { useFormat } from '../../format.ts'
import { useLivePace } from '../../live/live.ts'
import { ONE_TRANSFER } from '../../live/patcher.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { NotReadYet } from '../../parts/not-read-yet.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { ServerSaid } from '../../parts/server-said.tsx'
import { DigestText, Size, Time } from '../../parts/values.tsx'
import { BlobList } from './blob-list.tsx'
import { TransferActions } from './transfer-actions.tsx'
import { nameOf, TransferEnds } from './transfer-ends.tsx'
import { isOpen, Pace, StateTag, TransferProgress } from './transfer-state.tsx'

const ASK_MS = 1_000

export function TransferPage() {
  const { transfer: id } = useParams({ from: '/shell/signed-in/transfers/$transfer' })
  const every = useLivePace(ASK_MS)
  const read = useQuery({
    queryKey: [ONE_TRANSFER, Number(id)],
    queryFn: ({ signal }) => get<Transfer>(path`/transfers/${id}`, {}, signal),
    refetchInterval: ({ state }) => (state.data && isOpen(state.data) ? (every ?? false) : false),
  })
  if (!read.data) return <NotReadYet {...read} />
  return (
    <div className="page">
      <Details transfer={read.data} />
    </div>
  )
}

function Details({ transfer }: { transfer: Transfer }) {
  const { t } = useTranslation()
  const { source, error, notes, noteSays } = transfer
  const { total } = transfer.bytes
  return (
    <>
      <PageHead
        title={nameOf(source.repository, source.reference)}
        path={[
          <Link key="transfers" to="/transfers">
            {t('transfers.title')}
          </Link>,
        ]}
        actions={<TransferActions transfer={transfer} />}
      >
        <Space size={6} wrap style={{ marginTop: 6 }}>
          <StateTag state={transfer.state} />
          <Pace transfer={transfer} />
        </Space>
        {(isOpen(transfer) || total > 0) && <TransferProgress transfer={transfer} />}
      </PageHead>
      <Outcome transfer={transfer} />
      {error && (
        <div style={{ marginBottom: 16 }}>
          <ErrorView error={problemOf(error)} />
        </div>
      )}
      {notes.length > 0 && (
        <Alert
          type="info"
          style={{ marginBottom: 16 }}
          title={
            <ul style={{ margin: 0, paddingInlineStart: 20 }}>
              {notes.map((note, i) => (
                <li key={note}>
                  <ServerSaid text={note} says={noteSays[i]} />
                </li>
              ))}
            </ul>
          }
        />
      )}
      <div className="columns">
        <Card title={t('transfers.about')}>
          <Facts transfer={transfer} />
        </Card>
        <Card title={t('transfers.blobs')}>
          <BlobList transfer={transfer} />
        </Card>
      </div>
    </>
  )
}

function problemOf({ code, message, says }: NonNullable<Transfer['error']>): ApiError {
  const reason = says && { reason: says.name, params: says.params }
  return new ApiError(400, { code, detail: message, ...reason })
}

/** What an end, or a pause, means for the target. */
function Outcome({ transfer }: { transfer: Transfer }) {
  const { t } = useTranslation()
  const format = useFormat()
  const { state, waitsUntil } = transfer
  const waits = state === 'queued' && waitsUntil !== null && waitsUntil > Date.now()
  const sentence = waits
    ? t('transfers.waits', { time: format.dateTime(waitsUntil) })
    : state === 'cancelled'
      ? t('transfers.wasCancelled')
      : state === 'failed'
        ? t('transfers.hasFailed')
        : undefined
  if (sentence === undefined) return null
  return <p>{sentence}</p>
}

const size = (name: string, bytes: number): [string, ReactNode] => [
  name,
  <Size key={name} bytes={bytes} />,
]

function Facts({ transfer }: { transfer: Transfer }) {
  const { t } = useTranslation()
  const { digest, bytes, platforms, startedAt, finishedAt } = transfer
  const format = useFormat()
  const facts: [string, ReactNode][] = [
    [t('transfers.what'), <TransferEnds key="what" transfer={transfer} below />],
    [t('artifacts.digest'), digest === null ? '–' : <DigestText key="digest" digest={digest} />],
    [t('artifacts.platforms'), platforms?.join(', ') ?? t('transfers.allPlatforms')],
    [t('transfers.referrers'), transfer.referrers ? t('common.yes') : t('common.no')],
    [t('transfers.project'), transfer.project],
    [t('transfers.by'), transfer.requestedBy],
    ...(bytes.total === 0
      ? []
      : [
          size(t('transfers.total'), bytes.total),
          size(t('transfers.blobStates.sent'), bytes.sent),
          size(t('transfers.blobStates.skipped'), bytes.skipped),
          size(t('transfers.blobStates.mounted'), bytes.mounted),
        ]),
    [t('common.created'), <Time key="created" at={transfer.createdAt} />],
    [
      t('transfers.took'),
      startedAt === null || finishedAt === null ? '–' : format.duration(finishedAt - startedAt),
    ],
  ]
  return (
    <dl className="fact-list">
      {facts.map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </Fragment>
      ))}
    </dl>
  )
}
