import { Skeleton } from 'antd'
import { useTranslation } from 'react-i18next'
import { remove } from '../../api/client.ts'
import { useFormat } from '../../format.ts'
import { ConfirmRemoval } from '../../parts/confirm-removal.tsx'
import { ErrorView } from '../../parts/error-view.tsx'
import { useAct } from '../../parts/use-act.ts'
import { type RepositoryAddress, repositoryPath } from '../repository/use-repository.ts'
import { artifactPath, useArtifact } from './use-artifact.ts'

interface RemoveArtifactProps {
  open: boolean
  address: RepositoryAddress
  digest: string
  onClose: () => void
  onDone?: () => void
}

/** Deletes a manifest with its tags, after saying which these are and what else it touches. */
export function RemoveArtifact(props: RemoveArtifactProps) {
  const { open, address, digest, onClose, onDone } = props
  const { t } = useTranslation()
  const base = repositoryPath(address)
  const drop = useAct({
    act: () => remove(artifactPath(address, digest)),
    done: t('artifacts.deleted'),
    quiet: true,
    renews: [[base], [`${base}/tags`], [`${base}/artifacts`]],
    onDone: () => {
      onClose()
      onDone?.()
    },
  })
  return (
    <ConfirmRemoval
      open={open}
      title={t('artifacts.deleteTitle')}
      name={digest.slice(7, 19)}
      busy={drop.isPending}
      error={drop.error}
      onConfirm={() => drop.mutate()}
      onClose={() => {
        drop.reset()
        onClose()
      }}
    >
      {open && <Consequences address={address} digest={digest} />}
    </ConfirmRemoval>
  )
}

function Consequences({ address, digest }: { address: RepositoryAddress; digest: string }) {
  const { t } = useTranslation()
  const format = useFormat()
  const { data: artifact, error } = useArtifact(address, digest)
  if (error) return <ErrorView error={error} />
  if (!artifact) return <Skeleton active paragraph={{ rows: 2 }} title={false} />
  const attached = artifact.attached.reduce((sum, { count }) => sum + count, 0)
  const { tags, tagCount, parts, parents, totalSize } = artifact
  return (
    <ul style={{ margin: 0, paddingInlineStart: 18 }}>
      <li>
        {t('artifacts.deleteManifest')} <span className="mono">{digest.slice(0, 19)}</span> (
        {format.bytes(totalSize)})
      </li>
      {tagCount > 0 && (
        <li>
          {t('artifacts.deleteTags', { count: tagCount })}{' '}
          <strong>{tags.slice(0, 20).join(', ')}</strong>
          {tagCount > 20 && ` ${t('artifacts.moreTags', { count: tagCount - 20 })}`}
        </li>
      )}
      {parts.length > 0 && <li>{t('artifacts.deleteParts', { count: parts.length })}</li>}
      {attached > 0 && <li>{t('artifacts.deleteAttached', { count: attached })}</li>}
      {parents.length > 0 && <li>{t('artifacts.deleteParents', { count: parents.length })}</li>}
      <li>{t('artifacts.deleteBytes')}</li>
    </ul>
  )
}
