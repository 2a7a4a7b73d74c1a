import { CopyButton } from './values.tsx'

/** Text as it is, to be read and copied. */
export function Source({ text }: { text: string }) {
  return (
    <div style={{ position: 'relative' }}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by keyboard */}
      <pre className="source copied" tabIndex={0}>
        {text}
      </pre>
      <div style={{ position: 'absolute', top: 6, insetInlineEnd: 6 }}>
        <CopyButton text={text} />
      </div>
    </div>
  )
}
