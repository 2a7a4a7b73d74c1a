import { Breadcrumb } from 'antd'
import type { ReactNode } from 'react'
import { useEffect } from 'react'

export interface PageHeadProps {
  /** Of the browser's window too. */
  title: string
  /** Links to what the page stands in, outermost first. */
  path?: ReactNode[]
  /** Under the title. */
  children?: ReactNode
  actions?: ReactNode
  /** Shown in place of the title's text. */
  shown?: ReactNode
}

export function PageHead({ title, path, children, actions, shown }: PageHeadProps) {
  useEffect(() => {
    document.title = `${title} · Entrepot`
  }, [title])
  return (
    <>
      {path && (
        <Breadcrumb
          style={{ marginBottom: 8 }}
          // Their places never change while a page is shown.
          items={path.map((link, i) => ({ key: i, title: link }))}
        />
      )}
      <header className="page-head">
        <div className="page-head-text">
          <h1>{shown ?? title}</h1>
          {children}
        </div>
        {actions}
      </header>
    </>
  )
}
