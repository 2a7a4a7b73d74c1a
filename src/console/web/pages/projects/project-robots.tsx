import { useParams } from '@tanstack/react-router'
import { path } from '../../api/client.ts'
import { RobotList } from '../accounts/robot-list.tsx'
import { useProject } from './use-project.ts'

export function ProjectRobotsPage() {
  const { project: name } = useParams({ from: '/shell/projects/$project/robots' })
  const { data: project } = useProject(name)
  return project ? <RobotList base={path`/projects/${name}/robots`} project={project} /> : null
}
