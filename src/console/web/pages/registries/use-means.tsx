import { Alert, Button, Card, Form, Input, Select, Tabs } from 'antd'
import { useTranslation } from 'react-i18next'
import { path, post } from '../../api/client.ts'
import type { Handout, Purpose, Registry } from '../../api/hub.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { useFieldErrors } from '../../parts/form-modal.tsx'
import { Source } from '../../parts/source.tsx'
import { useAct } from '../../parts/use-act.ts'
import { Time } from '../../parts/values.tsx'
import { whenSlow } from '../../parts/when-slow.ts'
import { ProjectName } from './project-names.tsx'
import {
  bodyOf,
  clusterSnippet,
  curlSnippet,
  pipelineSnippet,
  type UseAsked,
} from './use-snippets.ts'

const PURPOSES: Purpose[] = ['build', 'deploy', 'distribute', 'update']

interface Values {
  project?: string
  purpose: Purpose
  environment?: string
  image?: string
}

/** What pipelines and clusters write down to use a registry, and what they get. */
export function UseMeans({ registry }: { registry: Registry }) {
  const { t } = useTranslation()
  const [form] = Form.useForm<Values>()
  const values: Partial<Values> = Form.useWatch([], form) ?? {}
  const { project = '', purpose = 'build', environment = '', image = '' } = values
  const get = useAct({
    act: (asked: UseAsked) =>
      post<Handout>(path`/projects/${asked.project}/handouts`, bodyOf(asked)),
    renews: [['/registries', registry.id, 'uses']],
    quiet: true,
  })
  useFieldErrors(form, get.error)
  const asked: UseAsked = {
    origin: window.location.origin,
    project: project || t('hub.means.aProject'),
    registry: registry.name,
    purpose,
    environment,
    image,
  }
  return (
    <div className="columns">
      <Card title={t('hub.means.what')}>
        <Form<Values>
          form={form}
          layout="vertical"
          requiredMark={false}
          initialValues={{
            project: registry.projects?.[0],
            purpose: 'build',
            image: 'app',
          }}
          onValuesChange={() => get.reset()}
          onFinish={() => get.mutate({ ...asked, registry: registry.id })}
        >
          <Form.Item
            name="project"
            label={t('transfers.project')}
            rules={[{ required: true, message: t('common.required') }]}
          >
            <ProjectName />
          </Form.Item>
          <Form.Item name="purpose" label={t('hub.means.purpose')}>
            <Select
              options={PURPOSES.map((value) => ({
                value,
                label: t(`hub.means.purposes.${value}`),
              }))}
            />
          </Form.Item>
          <Form.Item name="environment" label={t('hub.means.environment')}>
            <Input maxLength={128} autoComplete="off" spellCheck={false} placeholder="staging" />
          </Form.Item>
          <Form.Item name="image" label={t('hub.means.image')} extra={t('hub.means.imageHint')}>
            <Input maxLength={255} autoComplete="off" spellCheck={false} placeholder="app" />
          </Form.Item>
          {get.error && (
            <div style={{ marginBottom: 16 }}>
              <ErrorView error={get.error} />
            </div>
          )}
          <p className="cell-note">{t('hub.means.noted')}</p>
          <Button htmlType="submit" loading={whenSlow(get.isPending)}>
            {t('hub.means.get')}
          </Button>
        </Form>
      </Card>
      <Card title={get.data ? t('hub.means.values') : t('hub.means.snippets')}>
        {get.data ? <Means handout={get.data} /> : <Snippets asked={asked} />}
      </Card>
    </div>
  )
}

function Snippets({ asked }: { asked: UseAsked }) {
  const { t } = useTranslation()
  return (
    <>
      <p className="cell-note">{t('hub.means.snippetsHint')}</p>
      <h3 className="snippet">{t('hub.means.pipeline')}</h3>
      <Source text={pipelineSnippet(asked)} />
      <h3 className="snippet">{t('hub.means.curl')}</h3>
      <Source text={curlSnippet(asked)} />
      <h3 className="snippet">{t('hub.means.cluster')}</h3>
      <Source text={clusterSnippet(asked)} />
    </>
  )
}

/** With secrets: shown to who asked for them, until he leaves. */
function Means({ handout: { shell, login, pullSecret, refresher } }: { handout: Handout }) {
  const { t } = useTranslation()
  const texts: [string, string, string | undefined][] = [
    ['env', t('hub.means.env'), shell.env],
    ['login', t('hub.means.login'), login === null ? undefined : shell.login],
    ['secret', t('hub.means.secret'), pullSecret ? JSON.stringify(pullSecret, null, 2) : undefined],
    ['cron', t('hub.means.cronJob'), refresher?.cronJob],
    ['kubelet', 'kubelet', refresher?.credentialProvider],
  ]
  return (
    <>
      <Alert type="warning" showIcon title={t('hub.means.secrets')} style={{ marginBottom: 12 }} />
      {login === null && <p>{t('hub.means.open')}</p>}
      {login?.expiresAt && (
        <p>
          {t('hub.test.loginExpires')} <Time at={login.expiresAt} />
        </p>
      )}
      <Tabs
        items={texts.flatMap(([key, label, text]) =>
          text === undefined ? [] : [{ key, label, children: <Source text={text} /> }],
        )}
      />
    </>
  )
}
