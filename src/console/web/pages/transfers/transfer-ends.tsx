import { ArrowRightOutlined } from '@ant-design/icons'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Transfer } from '../../api/hub.ts'

/** Where a copy comes from and where it goes, each with a link to it; side by side unless `below`. */
export function TransferEnds({
  transfer: { source, target },
  below = false,
}: {
  transfer: Transfer
  below?: boolean
}) {
  const { t } = useTranslation()
  return (
    <span className={below ? 'ends below' : 'ends'}>
      <End {...source} reference={source.reference} />
      <ArrowRightOutlined role="img" aria-label={t('transfers.to')} />
      <End {...target} reference={target.tag} />
    </span>
  )
}

interface Place {
  registry: string | null
  name: string
  repository: string
  reference: string | null
}

function End({ registry, name, repository, reference }: Place) {
  const shown = reference === null ? repository : nameOf(repository, reference)
  return (
    <span>
      <span className="mono">{shown}</span>
      <RegistryLink id={registry}>{name}</RegistryLink>
    </span>
  )
}

/** A digest follows an `@`, and is cut: it tells nobody more than its beginning. */
export function nameOf(repository: string, reference: string): string {
  return reference.includes(':')
    ? `${repository}@${reference.slice(0, 19)}…`
    : `${repository}:${reference}`
}

/** To a registry of others; Entrepot itself is called so. */
function RegistryLink({ id, children }: { id: string | null; children: ReactNode }) {
  if (id === null) return <span className="cell-note">Entrepot</span>
  return (
    <span className="end-registry">
      <Link to="/registries/$registry" params={{ registry: id }}>
        {children}
      </Link>
    </span>
  )
}
