/**
 * Gives the page's nonce to every style element that our own scripts make. The components take one
 * by `ConfigProvider`, but a few helpers below them (measuring of scroll bars, locking the page
 * behind a window) do not ask. What is not made by a script of ours has no nonce, as before.
 */
export function lendNonceToStyles(nonce: string): void {
  const create = document.createElement.bind(document)
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    const element = create(name, options)
    if (element instanceof HTMLStyleElement) element.nonce = nonce
    return element
  }) as typeof document.createElement
}
