import { Radio } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Artifact } from '../../api/types.ts'
import { Command } from '../../parts/values.tsx'
import { kindOf } from '../repository/artifact-kind.ts'
import type { RepositoryAddress } from '../repository/use-repository.ts'
import { commandsFor } from './pull-command-lines.ts'

export function PullCommands(props: {
  address: RepositoryAddress
  artifact: Artifact
  tag: string | undefined
}) {
  const { address, artifact, tag } = props
  const { t } = useTranslation()
  const lines = commandsFor({
    host: window.location.host,
    isPlain: window.location.protocol === 'http:',
    repository: `${address.project}/${address.repository}`,
    tag: tag ?? artifact.tags[0],
    digest: artifact.digest,
    kind: kindOf(artifact),
  })
  const [chosen, setChosen] = useState(lines[0]?.tool)
  const line = lines.find(({ tool }) => tool === chosen) ?? lines[0]
  if (!line) return null
  return (
    <>
      <Radio.Group
        optionType="button"
        size="small"
        value={line.tool}
        aria-label={t('artifacts.pull')}
        options={lines.map(({ tool }) => ({ value: tool, label: tool }))}
        onChange={(event) => setChosen(event.target.value)}
        style={{ marginBottom: 16 }}
      />
      {line.byTag && (
        <>
          <p style={{ margin: '0 0 6px' }}>{t('artifacts.byTag')}</p>
          <Command text={line.byTag} />
        </>
      )}
      <p style={{ margin: '12px 0 6px' }}>{t('artifacts.byDigest')}</p>
      <Command text={line.byDigest} />
    </>
  )
}
