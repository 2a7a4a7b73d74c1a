import type { BunPlugin } from 'bun'

/*
 * For `npm run dev` only, named in `dev.toml`. The modules of the router import each other in a
 * circle and use what they import while they are loaded, but only outside of production. Browsers
 * and plain bundles sort that out; Bun's runtime for hot reload finds null there and the page stays
 * empty. So the router comes as one module.
 */
const oneRouter: BunPlugin = {
  name: 'one-router',
  setup(build) {
    const entry = /@tanstack[\\/]react-router[\\/]dist[\\/]esm[\\/]index(\.dev)?\.js$/
    build.onLoad({ filter: entry }, async ({ path }) => {
      const { outputs } = await Bun.build({
        entrypoints: [path],
        target: 'browser',
        conditions: ['development'],
        // There must be one React; and what asks for it with `require` has to stay outside too.
        external: ['react', 'react-dom', 'use-sync-external-store'],
      })
      const [bundle] = outputs
      if (!bundle) throw new Error('the router could not be bundled')
      return { contents: await bundle.text(), loader: 'js' }
    })
  },
}

// biome-ignore lint/style/noDefaultExport: how Bun finds a plugin of its configuration
export default oneRouter
