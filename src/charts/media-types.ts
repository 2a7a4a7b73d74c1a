/** Of charts in registries (helm.sh/docs, "Use OCI-based registries"). */
export const CHART_TYPE = {
  config: 'application/vnd.cncf.helm.config.v1+json',
  archive: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
  provenance: 'application/vnd.cncf.helm.chart.provenance.v1.prov',
} as const

/** As Helm wrote archives before 3.7. */
const OLD_ARCHIVE = 'application/tar+gzip'

export function isArchive(mediaType: string): boolean {
  return mediaType === CHART_TYPE.archive || mediaType === OLD_ARCHIVE
}
