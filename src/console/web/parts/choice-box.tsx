import type { TableProps } from 'antd'
import type { Choice } from './use-chosen.ts'

interface ChoiceBoxProps {
  label: string
  /** 'some': of what it stands for. */
  checked: boolean | 'some'
  onChange: (checked: boolean) => void
}

/** A box of the browser itself: those of the components would be a tenth of the first load. */
function ChoiceBox({ label, checked, onChange }: ChoiceBoxProps) {
  return (
    <label className="choice">
      <input
        type="checkbox"
        aria-label={label}
        checked={checked === true}
        ref={(box) => {
          if (!box) return
          box.indeterminate = checked === 'some'
          // The table has a hidden copy of its head to measure by, where no key should lead.
          box.disabled = box.closest('tr[aria-hidden=true]') !== null
        }}
        onChange={(event) => onChange(event.target.checked)}
      />
    </label>
  )
}

/** The column with the boxes, and above them one for all rows of the page. */
export function choiceColumn<T>(
  { chosen, choose, labelOf }: Choice<T>,
  rows: readonly T[],
  labelOfAll: string,
): NonNullable<TableProps<T>['columns']>[number] {
  const some = chosen.length > 0 && 'some'
  return {
    key: 'choice',
    width: 40,
    title: (
      <ChoiceBox
        label={labelOfAll}
        checked={rows.length > 0 && chosen.length === rows.length ? true : some}
        onChange={(checked) => choose(checked ? rows : [])}
      />
    ),
    render: (_, row) => (
      <ChoiceBox
        label={labelOf(row)}
        checked={chosen.includes(row)}
        onChange={(checked) =>
          choose(checked ? [...chosen, row] : chosen.filter((other) => other !== row))
        }
      />
    ),
  }
}
