import { Form, Input, Select } from 'antd'
import { useTranslation } from 'react-i18next'
import { patch, path } from '../../api/client.ts'
import type { Registry } from '../../api/hub.ts'
import { useFieldErrors } from '../../parts/form-modal.tsx'
import { SaveButton } from '../../parts/save-button.tsx'
import { useAct } from '../../parts/use-act.ts'
import { useFilledForm } from '../../parts/use-filled-form.ts'

const NEVER = 'never'
const OTHER = 'other'
const PRESETS = {
  hourly: '0 * * * *',
  sixHours: '0 */6 * * *',
  nightly: '30 2 * * *',
  weekly: '30 2 * * 0',
} as const

interface Values {
  preset: keyof typeof PRESETS | typeof NEVER | typeof OTHER
  syncCron?: string
  syncTimeZone: string
}

/** When the images of a registry are read besides every day; in somebody's time zone. */
export function SyncSchedule(props: { registry: Registry; mayChange: boolean }) {
  const { mayChange } = props
  const { t } = useTranslation()
  const {
    record: registry,
    form,
    filled,
    onSent,
    onSaved,
  } = useFilledForm(props.registry, valuesOf)
  const preset = Form.useWatch('preset', form)
  const save = useAct({
    act: ({ preset: chosen, syncCron = '', syncTimeZone }: Values) =>
      patch<Registry>(
        path`/registries/${registry.id}`,
        {
          syncCron: chosen === NEVER ? null : chosen === OTHER ? syncCron.trim() : PRESETS[chosen],
          syncTimeZone,
        },
        registry.version,
      ),
    done: t('common.saved'),
    renews: [['/registries']],
    quiet: true,
    onDone: onSaved,
  })
  useFieldErrors(form, save.error)
  return (
    <Form<Values>
      {...filled}
      layout="vertical"
      requiredMark={false}
      disabled={!mayChange}
      onFinish={(values) => {
        onSent()
        save.mutate(values)
      }}
    >
      <Form.Item name="preset" label={t('inventory.when')} extra={t('inventory.daily')}>
        <Select
          options={[
            { value: NEVER, label: t('inventory.onlyDaily') },
            ...(Object.keys(PRESETS) as (keyof typeof PRESETS)[]).map((value) => ({
              value,
              label: t(`inventory.presets.${value}`),
            })),
            { value: OTHER, label: t('inventory.presets.other') },
          ]}
        />
      </Form.Item>
      {preset === OTHER && (
        <Form.Item
          name="syncCron"
          label={t('inventory.cron')}
          extra={t('inventory.cronHint')}
          rules={[{ required: true, message: t('common.required') }]}
        >
          <Input className="mono" placeholder="30 */6 * * *" autoComplete="off" />
        </Form.Item>
      )}
      {preset !== NEVER && (
        <Form.Item name="syncTimeZone" label={t('inventory.timeZone')}>
          <Select showSearch options={timeZones(registry.syncTimeZone)} />
        </Form.Item>
      )}
      {mayChange && <SaveButton save={save}>{t('common.save')}</SaveButton>}
    </Form>
  )
}

function valuesOf({ syncCron, syncTimeZone }: Registry): Values {
  if (syncCron === null) return { preset: NEVER, syncTimeZone: ownTimeZone() }
  const known = Object.entries(PRESETS).find(([, cron]) => cron === syncCron)?.[0]
  return known === undefined
    ? { preset: OTHER, syncCron, syncTimeZone }
    : { preset: known as keyof typeof PRESETS, syncTimeZone }
}

const ownTimeZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'

function timeZones(present: string) {
  const all = new Set(['UTC', ownTimeZone(), present, ...Intl.supportedValuesOf('timeZone')])
  return [...all].map((value) => ({ value, label: value }))
}
