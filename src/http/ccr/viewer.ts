import type { Principal } from '../../accounts/principal.ts'
import type { Viewer } from '../../registry/offset-list.ts'

/** Whose view of the projects a list across projects gives. */
export function viewerOf({ isAdmin, account }: Principal): Viewer {
  return isAdmin ? 'all' : account
}
