import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Button, Card, Collapse, Form, Input, Radio, Select, Space, Switch } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { patch, path, post } from '../../api/client.ts'
import type { ConnectionReport, Provider, Registry } from '../../api/hub.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { useFieldErrors } from '../../parts/form-modal.tsx'
import { NotReadYet } from '../../parts/not-read-yet.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { useAct } from '../../parts/use-act.ts'
import { whenSlow } from '../../parts/when-slow.ts'
import { ConnectionFields } from './connection-fields.tsx'
import { bodyOf, changesTls, connectionOf, type Values, valuesOf } from './draft.ts'
import { ProjectNames } from './project-names.tsx'
import { PROVIDER_FORMS, PROVIDERS } from './providers.ts'
import { TestReport, TestRunning } from './test-report.tsx'
import { TlsWarning } from './tls-warning.tsx'
import { useRegistry } from './use-registry.ts'

export function NewRegistryPage() {
  return <Editor registry={undefined} />
}

export function EditRegistryPage() {
  const { registry: id } = useParams({ from: '/shell/signed-in/registries/$registry/edit' })
  const read = useRegistry(id)
  return read.data ? <Editor registry={read.data} /> : <NotReadYet {...read} />
}

function Editor({ registry: given }: { registry: Registry | undefined }) {
  // As it was when the form was filled: what others change meanwhile must not be overwritten.
  const [registry] = useState(given)
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [form] = Form.useForm<Values>()
  const [asked, setAsked] = useState<Values>()
  const test = useAct({
    act: (values: Values) => post<ConnectionReport>('/registries/test', connectionOf(values)),
    renews: [],
    quiet: true,
  })
  const save = useAct({
    act: (values: Values) => {
      const body = bodyOf(values, !registry)
      return registry
        ? patch<Registry>(path`/registries/${registry.id}`, body, registry.version)
        : post<Registry>('/registries', body)
    },
    done: registry ? t('common.saved') : t('hub.added'),
    renews: [['/registries']],
    quiet: true,
    onDone: ({ id }) => void navigate({ to: '/registries/$registry', params: { registry: id } }),
  })
  const problem = save.error ?? test.error
  useFieldErrors(form, problem)
  const title = registry ? t('hub.edit', { name: registry.name }) : t('hub.add')

  function choose(provider: Provider) {
    test.reset()
    form.setFieldsValue({ accessKey: PROVIDER_FORMS[provider].user.preset ?? '' })
  }

  async function tryOut() {
    const names = ['provider', 'region', 'address'] as const
    const checked = await form.validateFields([...names]).catch(() => undefined)
    if (!checked) return
    const values = form.getFieldsValue(true) as Values
    if (registry?.hasSecret && !values.secretKey) {
      form.setFields([{ name: 'secretKey', errors: [t('hub.secretNeeded')] }])
      return
    }
    save.reset()
    test.mutate(values)
  }

  function submit() {
    const values = form.getFieldsValue(true) as Values
    if (changesTls(values, registry)) setAsked(values)
    else save.mutate(values)
  }

  return (
    <div className="page">
      <PageHead
        title={title}
        path={[
          <Link key="registries" to="/registries">
            {t('hub.title')}
          </Link>,
        ]}
      />
      <Card style={{ maxWidth: 720 }}>
        <Form<Values>
          form={form}
          layout="vertical"
          requiredMark={false}
          initialValues={valuesOf(registry)}
          onFinish={submit}
        >
          <Form.Item name="provider" label={t('hub.provider')}>
            <Select<Provider>
              options={PROVIDERS.map((value) => ({ value, label: t(`hub.providers.${value}`) }))}
              onChange={choose}
            />
          </Form.Item>
          <Form.Item
            name="name"
            label={t('hub.name')}
            rules={[{ required: true, message: t('common.required') }]}
          >
            <Input maxLength={128} autoComplete="off" spellCheck={false} />
          </Form.Item>
          <Form.Item noStyle dependencies={['provider']}>
            {() => (
              <ConnectionFields
                provider={(form.getFieldValue('provider') as Provider | undefined) ?? 'harbor'}
                keepsSecret={registry?.hasSecret === true}
              />
            )}
          </Form.Item>
          <ScopeFields />
          {!registry && (
            <Form.Item
              name="isDefault"
              label={t('hub.default')}
              extra={t('hub.defaultHint')}
              valuePropName="checked"
            >
              <Switch />
            </Form.Item>
          )}
          <Form.Item name="notes" label={t('hub.notes')}>
            <Input.TextArea rows={2} maxLength={4096} />
          </Form.Item>
          <Collapse
            style={{ marginBottom: 16 }}
            items={[
              {
                key: 'tls',
                label: t('hub.advanced'),
                forceRender: true,
                children: <TlsFields />,
              },
            ]}
          />
          {problem && (
            <div style={{ marginBottom: 16 }}>
              <ErrorView error={problem} />
            </div>
          )}
          {test.isPending && <TestRunning />}
          {test.data && !test.isPending && (
            <div style={{ marginBottom: 16 }}>
              <TestReport report={test.data} />
            </div>
          )}
          <Space wrap>
            <Button type="primary" htmlType="submit" loading={whenSlow(save.isPending)}>
              {registry ? t('common.save') : t('hub.add')}
            </Button>
            <Button disabled={test.isPending} onClick={() => void tryOut()}>
              {t('hub.test.run')}
            </Button>
          </Space>
        </Form>
      </Card>
      <TlsWarning
        open={asked !== undefined}
        registry={registry?.id}
        onClose={() => setAsked(undefined)}
        onSave={() => {
          if (asked) save.mutate(asked)
          setAsked(undefined)
        }}
      />
    </div>
  )
}

function TlsFields() {
  const { t } = useTranslation()
  return (
    <>
      <Form.Item
        name="verifyTls"
        label={t('hub.verifyTls')}
        extra={t('hub.verifyTlsHint')}
        valuePropName="checked"
      >
        <Switch />
      </Form.Item>
      <Form.Item name="caCertificate" label={t('hub.certificate')} extra={t('hub.certificateHint')}>
        <Input.TextArea
          className="mono"
          rows={5}
          spellCheck={false}
          placeholder="-----BEGIN CERTIFICATE-----"
        />
      </Form.Item>
    </>
  )
}

function ScopeFields() {
  const { t } = useTranslation()
  const form = Form.useFormInstance<Values>()
  const scope = Form.useWatch('scope', form)
  return (
    <>
      <Form.Item name="scope" label={t('hub.scope')} extra={t('hub.allProjectsHint')}>
        <Radio.Group
          options={[
            { value: 'all', label: t('hub.allProjects') },
            { value: 'chosen', label: t('hub.chosenProjects') },
          ]}
        />
      </Form.Item>
      {scope === 'chosen' && (
        <Form.Item
          name="projects"
          label={t('hub.chosenProjects')}
          rules={[{ required: true, type: 'array', min: 1, message: t('hub.projectsMissing') }]}
        >
          <ProjectNames />
        </Form.Item>
      )}
    </>
  )
}
