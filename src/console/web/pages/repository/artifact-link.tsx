import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { RepositoryAddress } from './use-repository.ts'

export function ArtifactLink(props: {
  address: RepositoryAddress
  digest: string
  tag?: string | undefined
  children: ReactNode
}) {
  const { address, digest, tag, children } = props
  return (
    <Link
      to="/projects/$project/repositories/$repository/artifacts/$digest"
      params={{ ...address, digest }}
      search={tag === undefined ? {} : { tag }}
    >
      {children}
    </Link>
  )
}
