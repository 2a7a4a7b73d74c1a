import { Empty } from 'antd'
import { useTranslation } from 'react-i18next'
import type { BlobProgress, Transfer } from '../../api/hub.ts'
import { Bar, DigestText, Size } from '../../parts/values.tsx'
import { isOpen } from './transfer-state.tsx'

/** How far each blob is; those under way come first. */
export function BlobList({ transfer }: { transfer: Transfer }) {
  const { blobs } = transfer
  const { t } = useTranslation()
  if (blobs.total === 0) {
    return (
      <Empty
        image={Empty.PRESENTED_IMAGE_SIMPLE}
        description={isOpen(transfer) ? t('transfers.noBlobs') : t('transfers.nothing')}
      />
    )
  }
  const more = blobs.total - blobs.shown.length
  return (
    <>
      <p className="cell-note">
        {t('transfers.blobsDone', { done: blobs.done, total: blobs.total })}
      </p>
      <ul className="blobs" aria-label={t('transfers.blobs')}>
        {blobs.shown.map((blob) => (
          <Blob key={blob.digest} blob={blob} />
        ))}
      </ul>
      {more > 0 && <p className="cell-note">{t('transfers.moreBlobs', { count: more })}</p>}
    </>
  )
}

function Blob({ blob: { digest, size, state, bytes } }: { blob: BlobProgress }) {
  const { t } = useTranslation()
  const part = state === 'waiting' ? 0 : state === 'running' && size > 0 ? bytes / size : 1
  return (
    <li>
      <div className="blob-line">
        <DigestText digest={digest} />
        <span className="cell-note nowrap">
          {t(`transfers.blobStates.${state}`)} · <Size bytes={size} />
        </span>
      </div>
      <Bar
        part={part}
        label={t('transfers.progressOf', { digest: digest.slice(0, 19) })}
        isLimit={false}
      />
    </li>
  )
}
