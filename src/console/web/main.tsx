import { QueryClient } from '@tanstack/react-query'
import { createRoot } from 'react-dom/client'
import { ApiError, whenSignedOut, whenUnreachable } from './api/client.ts'
import { Application } from './application.tsx'
import { speak } from './i18n.ts'
import { createLive } from './live/live.ts'
import { readPreferences } from './preferences.ts'
import { createConsoleRouter } from './router.tsx'
import { sessionQuery } from './session.ts'
import { lendNonceToStyles } from './style-nonce.ts'
import './style.css'
import './style-parts.css'
import './icon.svg'

const container = document.getElementById('root')
if (!container) throw new Error('the page has no place for the console')

const nonce = container.dataset.nonce ?? ''
lendNonceToStyles(nonce)

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What the server refused it refuses again; what did not arrive may arrive now.
      retry: (count, error) => error instanceof ApiError && error.status === 0 && count < 2,
      refetchOnWindowFocus: true,
    },
  },
})
const router = createConsoleRouter(queries)

/** A session ended by itself: on public pages too one goes on as who one was. */
async function leadToSignIn(): Promise<void> {
  const { account } = await queries.fetchQuery({ ...sessionQuery, staleTime: 0 })
  const { pathname, href } = router.state.location
  if (!account && pathname !== '/sign-in') {
    await router.navigate({ to: '/sign-in', search: { back: href, ended: 'yes' } })
  }
  await router.invalidate()
}
const signedOut = () => {
  // Of somebody who never was signed in the page itself says what it needs.
  if (!queries.getQueryData(sessionQuery.queryKey)?.account) return
  void leadToSignIn().catch(() => {})
}
const live = createLive(queries, signedOut)
whenSignedOut(signedOut)
whenUnreachable(live.check)

const preferences = readPreferences()
await speak(preferences.language)
createRoot(container).render(
  <Application queries={queries} router={router} live={live} initial={preferences} nonce={nonce} />,
)
