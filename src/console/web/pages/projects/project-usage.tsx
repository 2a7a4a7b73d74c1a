import { useParams } from '@tanstack/react-router'
import { path } from '../../api/client.ts'
import { UseOverTime } from '../overview/use-over-time.tsx'

export function ProjectUsagePage() {
  const { project } = useParams({ from: '/shell/projects/$project/usage' })
  return <UseOverTime path={path`/projects/${project}/usage`} />
}
