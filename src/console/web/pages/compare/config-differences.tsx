import { Card } from 'antd'
import { useTranslation } from 'react-i18next'
import type { ImageConfig } from '../artifact/image-config.ts'
import type { Difference } from './compare-images.ts'

type FactName = ImageConfig['facts'][number][0]

export function ConfigDifferences(props: {
  differences: Difference[]
  /** Of the two tags. */
  names: readonly [string, string]
}) {
  const { differences, names } = props
  const { t } = useTranslation()
  const groups = [
    ['fact', t('artifacts.config')],
    ['environment', t('artifacts.environment')],
    ['label', t('artifacts.labels')],
  ] as const
  if (differences.length === 0) {
    return (
      <Card title={t('artifacts.config')}>
        <p style={{ margin: 0 }}>{t('compare.sameConfig')}</p>
      </Card>
    )
  }
  return (
    <>
      {groups.map(([kind, title]) => {
        const rows = differences.filter((difference) => difference.kind === kind)
        if (rows.length === 0) return null
        return (
          <Card key={kind} title={title} style={{ marginBottom: 16 }}>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by keyboard */}
            <section className="compare-table" tabIndex={0} aria-label={title}>
              <table>
                <thead>
                  <tr>
                    <th scope="col">{t('members.name')}</th>
                    {names.map((name) => (
                      <th key={name} scope="col">
                        {name}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {rows.map(({ name, left, right }) => (
                    <tr key={name}>
                      <th scope="row" className={kind === 'fact' ? '' : 'mono'}>
                        {kind === 'fact' ? t(`artifacts.configFields.${name as FactName}`) : name}
                      </th>
                      <Value text={left} side="left" />
                      <Value text={right} side="right" />
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
          </Card>
        )
      })}
    </>
  )
}

function Value({ text, side }: { text: string | undefined; side: 'left' | 'right' }) {
  const { t } = useTranslation()
  if (text === undefined) return <td className="cell-note">{t('compare.none')}</td>
  return (
    <td className={`mono ${side}`}>{side === 'left' ? <del>{text}</del> : <ins>{text}</ins>}</td>
  )
}
