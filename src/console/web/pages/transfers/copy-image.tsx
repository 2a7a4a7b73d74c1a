import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Checkbox, Form, Input, Select } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { get, post } from '../../api/client.ts'
import type { Registry, Transfer } from '../../api/hub.ts'
import type { Page } from '../../api/types.ts'
import { FormModal } from '../../parts/form-modal.tsx'
import { useAct } from '../../parts/use-act.ts'
import { ProjectName } from '../registries/project-names.tsx'
import type { CopyImageProps, CopySource } from './copy-image-late.tsx'

/** Entrepot itself, in place of the id of a registry. */
const SELF = 'self'

interface Values {
  target: string
  project?: string
  repository: string
  tag?: string
  platforms?: string[]
  rewrite?: boolean
  referrers: boolean
  overwrite: boolean
}

/** Asks where to, and begins the copy; then its progress is shown. */
export function CopyImage(props: CopyImageProps) {
  const { open, source, onClose } = props
  const { t } = useTranslation()
  const navigate = useNavigate()
  const targets = useTargets(open)
  const registries = targets.data?.items ?? []
  const copy = useAct({
    act: (values: Values) => post<Transfer>('/transfers', bodyOf(source, values)),
    done: t('transfers.begun'),
    renews: [['/transfers']],
    quiet: true,
    onDone: ({ id }) => {
      onClose()
      void navigate({ to: '/transfers/$transfer', params: { transfer: String(id) } })
    },
  })
  const isOurs = source.registry === SELF
  return (
    <FormModal<Values>
      // What is chosen at first depends on what there is.
      open={open && !targets.isPending}
      title={t('transfers.copy')}
      submit={t('transfers.begin')}
      initial={{
        target: isOurs ? (registries.find(({ isDefault }) => isDefault)?.id ?? SELF) : SELF,
        repository: isOurs ? '' : inProject(source.repository),
        tag: source.reference.includes(':') ? '' : source.reference,
        referrers: true,
        overwrite: true,
      }}
      act={copy}
      onClose={onClose}
    >
      <Fields source={source} registries={registries} />
    </FormModal>
  )
}

/** What the copy is called here: names of ours begin with a project. */
const inProject = (repository: string): string =>
  repository.includes('/') ? repository : `library/${repository}`

function Fields({ source, registries }: { source: CopySource; registries: Registry[] }) {
  const { t } = useTranslation()
  const form = Form.useFormInstance<Values>()
  const target = Form.useWatch('target', form)
  const chosen = Form.useWatch('platforms', form)
  const toOurs = target === SELF
  const named = registries.find(({ id }) => id === target)
  const last = source.repository.slice(source.repository.lastIndexOf('/') + 1)
  const [filled, setFilled] = useState<string>()

  /** A name that was not typed follows the target. */
  function follow(next: string) {
    const now = form.getFieldValue('repository') as string | undefined
    if (now && now !== filled && now !== inProject(source.repository)) return
    const name = next === SELF ? inProject(source.repository) : ''
    setFilled(name)
    form.setFieldsValue({ repository: name })
  }

  return (
    <>
      <p className="cell-note">{t('transfers.copyHint')}</p>
      <Form.Item name="target" label={t('transfers.target')}>
        <Select
          showSearch={{ optionFilterProp: 'label' }}
          onChange={follow}
          options={[
            { value: SELF, label: t('transfers.here') },
            ...registries.map(({ id, name }) => ({ value: id, label: name })),
          ]}
        />
      </Form.Item>
      {!toOurs && source.registry !== SELF && (
        <Form.Item
          name="project"
          label={t('transfers.project')}
          extra={t('transfers.projectHint')}
          rules={[{ required: true, message: t('common.required') }]}
        >
          <ProjectName />
        </Form.Item>
      )}
      <Form.Item
        name="repository"
        label={t('repositories.name')}
        extra={toOurs ? undefined : t('transfers.repositoryHint')}
        rules={
          toOurs ? [{ required: true, pattern: /^[^/].*\/./, message: t('hub.browse.whole') }] : []
        }
      >
        <Input
          autoComplete="off"
          spellCheck={false}
          placeholder={named?.namespace ? `${named.namespace}/${last}` : last}
        />
      </Form.Item>
      <Form.Item name="tag" label={t('tags.tag')}>
        <Input autoComplete="off" spellCheck={false} />
      </Form.Item>
      {source.platforms.length > 1 && (
        <>
          <Form.Item name="platforms" label={t('artifacts.platforms')}>
            <Select
              mode="multiple"
              allowClear
              placeholder={t('transfers.allPlatforms')}
              options={source.platforms.map((value) => ({ value, label: value }))}
            />
          </Form.Item>
          {chosen !== undefined && chosen.length > 0 && (
            <Form.Item name="rewrite" valuePropName="checked" extra={t('transfers.rewriteHint')}>
              <Checkbox>{t('transfers.rewrite')}</Checkbox>
            </Form.Item>
          )}
        </>
      )}
      <Form.Item name="referrers" valuePropName="checked" style={{ marginBottom: 8 }}>
        <Checkbox>{t('transfers.withReferrers')}</Checkbox>
      </Form.Item>
      <Form.Item name="overwrite" valuePropName="checked">
        <Checkbox>{t('transfers.overwrite')}</Checkbox>
      </Form.Item>
    </>
  )
}

function bodyOf({ registry, repository, reference }: CopySource, values: Values) {
  const { target, project, platforms = [], rewrite = false, referrers, overwrite } = values
  return {
    ...(project ? { project } : {}),
    source: { registry, repository, reference },
    target: {
      registry: target,
      ...(values.repository ? { repository: values.repository } : {}),
      ...(values.tag ? { tag: values.tag } : {}),
    },
    ...(platforms.length > 0 ? { platforms, index: rewrite ? 'rewrite' : 'keep' } : {}),
    referrers,
    overwrite,
  }
}

/** Those that the reader's projects may use. */
function useTargets(enabled: boolean) {
  const query = { limit: 1_000 }
  return useQuery({
    queryKey: ['/registries', query],
    queryFn: ({ signal }) => get<Page<Registry>>('/registries', query, signal),
    enabled,
  })
}
