import { useQuery } from '@tanstack/react-query'
import { Skeleton } from 'antd'
import { useTranslation } from 'react-i18next'
import { get, path } from '../../api/client.ts'
import type { Page, TagMove } from '../../api/types.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { DigestText, Time } from '../../parts/values.tsx'
import { type RepositoryAddress, repositoryPath } from '../repository/use-repository.ts'

/** What a tag pointed at, the newest first. */
export function TagHistory({ address, tag }: { address: RepositoryAddress; tag: string }) {
  const { t } = useTranslation()
  const url = repositoryPath(address) + path`/tags/${tag}/history`
  const { data, error, refetch } = useQuery({
    queryKey: [url],
    queryFn: ({ signal }) => get<Page<TagMove>>(url, { limit: 100 }, signal),
  })
  if (error) return <ErrorView error={error} onRetry={() => void refetch()} />
  if (!data) return <Skeleton active />
  return (
    <ol className="history" aria-label={t('tags.history')}>
      {data.items.map(({ id, newDigest, actor, at }) => (
        <li key={id}>
          {newDigest === null ? t('tags.wasDeleted') : <DigestText digest={newDigest} />}
          <div className="cell-note">
            <Time at={at} /> {actor && `· ${actor}`}
          </div>
        </li>
      ))}
    </ol>
  )
}
