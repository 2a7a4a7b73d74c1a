import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useRouter, useSearch } from '@tanstack/react-router'
import { Alert, Button, Card, Form, Input } from 'antd'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, keepCsrfToken, post } from '../api/client.ts'
import type { Session } from '../api/types.ts'
import icon from '../icon.svg'
import { ErrorView } from '../parts/error-view.tsx'
import { whenSlow } from '../parts/when-slow.ts'
import { sessionQuery } from '../session.ts'
import { LanguageMenu, ThemeMenu } from '../shell/choices.tsx'

interface Credentials {
  name: string
  password: string
}

export function SignInPage() {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const router = useRouter()
  const navigate = useNavigate()
  const { back, ended } = useSearch({ from: '/sign-in' })

  useEffect(() => {
    document.title = `${t('signIn.signIn')} · Entrepot`
  }, [t])

  const signIn = useMutation({
    mutationFn: (credentials: Credentials) => post<Session>('/session', credentials),
    async onSuccess(session) {
      // What was read as somebody else must not be shown.
      queries.clear()
      keepCsrfToken(session.csrfToken)
      queries.setQueryData(sessionQuery.queryKey, session)
      await router.invalidate()
      await navigate({ href: isOurs(back) ? back : '/' })
    },
  })

  return (
    <div className="sign-in">
      <div className="sign-in-bar">
        <LanguageMenu />
        <ThemeMenu />
      </div>
      <main className="sign-in-form">
        <div style={{ textAlign: 'center', marginBottom: 24 }}>
          <img src={icon} alt="" width={56} height={56} />
          <h1>Entrepot</h1>
          <span className="second">{window.location.host}</span>
        </div>
        {ended && <Alert type="info" title={t('signIn.ended')} style={{ marginBottom: 16 }} />}
        <Card>
          <Form<Credentials>
            layout="vertical"
            requiredMark={false}
            onFinish={(values) => signIn.mutate(values)}
          >
            <Form.Item
              name="name"
              label={t('signIn.name')}
              rules={[{ required: true, message: t('signIn.nameMissing') }]}
            >
              <Input autoFocus autoComplete="username" autoCapitalize="none" spellCheck={false} />
            </Form.Item>
            <Form.Item
              name="password"
              label={t('signIn.password')}
              rules={[{ required: true, message: t('signIn.passwordMissing') }]}
            >
              <Input.Password autoComplete="current-password" />
            </Form.Item>
            {signIn.error && (
              <div style={{ marginBottom: 16 }}>
                <SignInError error={signIn.error} />
              </div>
            )}
            <Button
              type="primary"
              htmlType="submit"
              block
              size="large"
              loading={whenSlow(signIn.isPending)}
            >
              {t('signIn.signIn')}
            </Button>
          </Form>
        </Card>
        <p style={{ textAlign: 'center' }}>
          <Button type="link" onClick={() => void navigate({ to: '/projects' })}>
            {t('signIn.publicProjects')}
          </Button>
        </p>
      </main>
    </div>
  )
}

function SignInError({ error }: { error: Error }) {
  const { t } = useTranslation()
  const wrong = error instanceof ApiError && error.status === 401
  return (
    <ErrorView
      error={
        wrong ? new ApiError(401, { code: 'wrong_credentials', detail: t('signIn.wrong') }) : error
      }
    />
  )
}

/** Only addresses of this console: a link may not send people elsewhere after the sign-in. */
function isOurs(back: string | undefined): back is string {
  return back !== undefined && /^\/(?![/\\])/.test(back)
}
