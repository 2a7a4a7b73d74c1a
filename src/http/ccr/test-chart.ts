import { gzipSync } from 'node:zlib'

/** A chart archive as `helm package` writes it, of a Chart.yaml alone. */
export function chartArchive(name: string, version: string): Uint8Array {
  const content = Buffer.from(`apiVersion: v2\nname: ${name}\nversion: ${version}\n`)
  const header = Buffer.alloc(512)
  header.write(`${name}/Chart.yaml`, 0)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\u000000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512)
  return gzipSync(Buffer.concat([header, content, padding, Buffer.alloc(1024)]))
}
