/* A host that clients do not trust by themselves, and what each of them is told about it. */

/** All that is known of one host; records of the same host are taken together. */
export interface TrustedHost {
  host: string
  /** With scheme, as it is spoken to. */
  url: string
  /** http, for clients that tell this from a certificate that is not looked at. */
  plainHttp: boolean
  /** The certificate is not looked at. */
  insecure: boolean
  /** PEM, of one certificate or several; undefined: the system's roots, or none needed. */
  ca: string | undefined
}

export type TrustClient = 'docker' | 'containerd' | 'podman' | 'buildkit'

export interface TrustFile {
  path: string
  content: string
  /** To be joined with what is there; others are files of their own. */
  merge: boolean
}

export interface ClientTrust {
  client: TrustClient
  files: TrustFile[]
  /** What has to be done on the client's machine for it to take effect. */
  apply: { action: 'none' | 'reload' | 'restart'; what: string }
}
