import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { path, post } from '../../api/client.ts'
import type { Registry } from '../../api/hub.ts'
import { useAct } from '../../parts/use-act.ts'
import { whenSlow } from '../../parts/when-slow.ts'

/** Puts a registry in the place of the present default. */
export function MakeDefault({
  registry: { id, name },
  inRow = false,
}: {
  registry: Registry
  inRow?: boolean
}) {
  const { t } = useTranslation()
  const promote = useAct({
    act: () => post<Registry>(path`/registries/${id}/default`),
    done: t('hub.made', { name }),
    renews: [['/registries']],
  })
  return (
    <Button
      {...(inRow ? { type: 'link', size: 'small' } : {})}
      loading={whenSlow(promote.isPending)}
      onClick={() => promote.mutate()}
    >
      {t('hub.makeDefault')}
    </Button>
  )
}
