/** The answer at addresses that nothing here has. */
export const notFound = (): Response => new Response('not found\n', { status: 404 })
