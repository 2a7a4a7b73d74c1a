import { MoreOutlined } from '@ant-design/icons'
import { useNavigate } from '@tanstack/react-router'
import { Button, Dropdown } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { patch, path, remove } from '../../api/client.ts'
import type { ListedTag } from '../../api/types.ts'
import { ConfirmRemoval } from '../../parts/confirm-removal.tsx'
import { useAct } from '../../parts/use-act.ts'
import { RemoveArtifact } from '../artifact/remove-artifact.tsx'
import { useHasRole } from '../projects/use-project.ts'
import { type RepositoryAddress, repositoryPath } from './use-repository.ts'

type Window = 'tag' | 'artifact' | undefined

/** What can be done with a tag; some of it by maintainers only. */
export function TagActions({ address, tag }: { address: RepositoryAddress; tag: ListedTag }) {
  const { t } = useTranslation()
  const mayChange = useHasRole(address.project, 'maintainer')
  const navigate = useNavigate()
  const [open, setOpen] = useState<Window>()
  const base = repositoryPath(address)
  const url = base + path`/tags/${tag.name}`
  const protect = useAct({
    act: () => patch(url, { immutable: !tag.immutable }),
    done: tag.immutable ? t('tags.unprotected') : t('tags.protected'),
    renews: [[`${base}/tags`]],
  })
  const drop = useAct({
    act: () => remove(url),
    done: t('tags.deleted'),
    renews: [[base], [`${base}/tags`], [`${base}/artifacts`]],
    quiet: true,
    onDone: () => setOpen(undefined),
  })
  const compare = () =>
    navigate({
      to: '/projects/$project/repositories/$repository/compare',
      params: address,
      search: { left: tag.name },
    })
  return (
    <>
      <Dropdown
        trigger={['click']}
        menu={{
          items: [
            { key: 'compare', label: t('compare.with') },
            ...(mayChange
              ? [
                  {
                    key: 'protect',
                    label: tag.immutable ? t('tags.unprotect') : t('tags.protect'),
                  },
                  { type: 'divider' as const },
                  { key: 'tag', danger: true, disabled: tag.immutable, label: t('tags.delete') },
                  { key: 'artifact', danger: true, label: t('artifacts.delete') },
                ]
              : []),
          ],
          onClick: ({ key }) => {
            if (key === 'protect') protect.mutate()
            else if (key === 'compare') void compare()
            else setOpen(key as Window)
          },
        }}
      >
        <Button
          type="text"
          icon={<MoreOutlined />}
          aria-label={t('tags.actionsOf', { name: tag.name })}
        />
      </Dropdown>
      <ConfirmRemoval
        open={open === 'tag'}
        title={t('tags.deleteTitle', { name: tag.name })}
        name={tag.name}
        busy={drop.isPending}
        error={drop.error}
        onConfirm={() => drop.mutate()}
        onClose={() => {
          drop.reset()
          setOpen(undefined)
        }}
      >
        {t('tags.deleteText', { name: tag.name })}
      </ConfirmRemoval>
      <RemoveArtifact
        open={open === 'artifact'}
        address={address}
        digest={tag.digest}
        onClose={() => setOpen(undefined)}
      />
    </>
  )
}
