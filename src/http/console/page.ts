import type { ConsoleIndex } from '../../console/assets.ts'

/** The one page of the console. Everything in it comes from the build, nothing from a request. */
export function renderIndex({ entry, preload, icon, styles }: ConsoleIndex, nonce: string): string {
  const links = [
    ...styles.map((name) => `<link rel="stylesheet" href="/assets/${name}" nonce="${nonce}">`),
    ...preload.map((name) => `<link rel="modulepreload" href="/assets/${name}" nonce="${nonce}">`),
  ]
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Entrepot</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/assets/${icon}" type="image/svg+xml">
${links.join('\n')}
<script type="module" src="/assets/${entry}" nonce="${nonce}"></script>
</head>
<body>
<div id="root" data-nonce="${nonce}"></div>
<noscript>The console needs JavaScript. The REST API is at /api/v1.</noscript>
</body>
</html>
`
}

/** Shown for the seconds in which the first start builds the console. */
export function waitingPage(nonce: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Entrepot</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="2">
<style nonce="${nonce}">body { font: 16px/1.5 system-ui, sans-serif; margin: 20vh auto; max-width: 30em; padding: 0 1em; color-scheme: light dark }</style>
</head>
<body>
<p>The console is being prepared; this page reloads by itself. The registry works already.</p>
<p lang="zh">控制台正在准备，页面会自动刷新。镜像仓库已可使用。</p>
</body>
</html>
`
}
