import { Skeleton } from 'antd'
import { ErrorView } from '../../parts/error-view.tsx'
import { Source } from '../../parts/source.tsx'
import type { RepositoryAddress } from '../repository/use-repository.ts'
import { useManifestText } from './use-artifact.ts'

/** The manifest exactly as it was pushed: these are the bytes that its digest is of. */
export function ManifestView({ address, digest }: { address: RepositoryAddress; digest: string }) {
  const { data, error, refetch } = useManifestText(address, digest)
  if (error) return <ErrorView error={error} onRetry={() => void refetch()} />
  return data ? <Source text={data.manifest} /> : <Skeleton active />
}
