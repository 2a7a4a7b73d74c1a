declare module '*.svg' {
  const path: string
  // Bun's bundler gives files that way.
  // biome-ignore lint/style/noDefaultExport: it is not ours to choose
  export default path
}

declare module '*.css'
