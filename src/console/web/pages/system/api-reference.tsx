import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { Collapse, Radio, Skeleton, Tag } from 'antd'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { getDocument } from '../../api/client.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { useFilters } from '../../parts/list.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { Source } from '../../parts/source.tsx'
import { type ApiDocument, type Operation, operationsOf } from './api-document.ts'

const COLORS: Record<string, string> = {
  GET: 'blue',
  POST: 'green',
  PUT: 'orange',
  PATCH: 'gold',
  DELETE: 'red',
}

/** The faces that have a document; the others are described in the manual. */
const DOCUMENTS = { api: '/api/v1/openapi.json', ccr: '/api/ccr/openapi.json' } as const

/** The OpenAPI documents, to be read by people. */
export function ApiReferencePage() {
  const { t } = useTranslation()
  const { face } = useSearch({ from: '/shell/api-reference' })
  const filter = useFilters()
  const shown = face === 'ccr' ? 'ccr' : 'api'
  const address = DOCUMENTS[shown]
  const { data, error, refetch } = useQuery({
    queryKey: [address],
    queryFn: ({ signal }) => getDocument<ApiDocument>(address, signal),
    staleTime: Number.POSITIVE_INFINITY,
  })
  const groups = useMemo(() => (data ? operationsOf(data) : []), [data])
  return (
    <div className="page">
      <PageHead title={t('nav.api')}>
        <p style={{ margin: '4px 0 0' }}>
          {t(`api.intros.${shown}`)} <a href={address}>openapi.json</a>
        </p>
      </PageHead>
      <div className="filters">
        <Radio.Group
          optionType="button"
          aria-label={t('nav.api')}
          value={shown}
          options={(['api', 'ccr'] as const).map((value) => ({
            value,
            label: t(`api.faces.${value}`),
          }))}
          onChange={({ target: { value } }) =>
            void filter({ face: value === 'ccr' ? 'ccr' : undefined })
          }
        />
      </div>
      {error && <ErrorView error={error} onRetry={() => void refetch()} />}
      {!data && !error && <Skeleton active />}
      {groups.map(({ tag, operations }) => (
        <section key={tag} style={{ marginBottom: 24 }}>
          <h2 style={{ fontSize: 17 }} className="mono">
            {tag}
          </h2>
          <Collapse
            items={operations.map((operation) => ({
              key: operation.id,
              label: (
                <>
                  <Tag color={COLORS[operation.method] ?? 'default'}>{operation.method}</Tag>
                  <span className="mono">{operation.path}</span>
                  <div className="cell-note">{operation.summary}</div>
                </>
              ),
              children: <OperationView operation={operation} />,
            }))}
          />
        </section>
      ))}
    </div>
  )
}

function OperationView({ operation }: { operation: Operation }) {
  const { t } = useTranslation()
  const { description, parameters, body, answer } = operation
  return (
    <>
      <p>{description}</p>
      {parameters.length > 0 && (
        <>
          <h3 style={{ fontSize: 14 }}>{t('api.parameters')}</h3>
          <dl className="fact-list">
            {parameters.map((parameter) => [
              <dt key={`${parameter.name} name`} className="mono">
                {parameter.name}
                {parameter.required && ' *'}
              </dt>,
              <dd key={parameter.name}>
                {parameter.place} {parameter.description && `· ${parameter.description}`}
              </dd>,
            ])}
          </dl>
        </>
      )}
      {body !== undefined && (
        <>
          <h3 style={{ fontSize: 14 }}>{t('api.body')}</h3>
          <Source text={body} />
        </>
      )}
      {answer !== undefined && (
        <>
          <h3 style={{ fontSize: 14 }}>{t('api.answer')}</h3>
          <Source text={answer} />
        </>
      )}
    </>
  )
}
