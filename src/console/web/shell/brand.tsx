import { Link } from '@tanstack/react-router'
import icon from '../icon.svg'

export function Brand({ small = false }: { small?: boolean }) {
  return (
    <Link to="/" className="brand" style={small ? { padding: '0 8px' } : {}}>
      <img src={icon} alt="" width={28} height={28} />
      <span>Entrepot</span>
    </Link>
  )
}
