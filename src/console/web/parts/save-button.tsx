import { Button } from 'antd'
import type { ReactNode } from 'react'
import { ErrorView } from './error-view.tsx'
import type { Doing } from './use-act.ts'
import { whenSlow } from './when-slow.ts'

/** Sends the form that it ends; above it stands why the server refused what was sent. */
export function SaveButton(props: {
  save: Pick<Doing<never>, 'error' | 'isPending'>
  children: ReactNode
}) {
  const { save, children } = props
  return (
    <>
      {save.error && (
        <div style={{ marginBottom: 16 }}>
          <ErrorView error={save.error} />
        </div>
      )}
      <Button type="primary" htmlType="submit" loading={whenSlow(save.isPending)}>
        {children}
      </Button>
    </>
  )
}
