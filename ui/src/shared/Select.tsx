import styles from "./Select.module.css";

interface Props {
  label: string;
  value: string;
  /** Values with what they are called. */
  options: readonly (readonly [value: string, name: string])[];
  onChange: (value: string) => void;
}

/** A choice among a few, with its label above. */
export function Select({ label, value, options, onChange }: Props) {
  return (
    <label className={styles["field"]}>
      <span>{label}</span>
      <select value={value} onChange={({ target }) => onChange(target.value)}>
        {options.map(([each, name]) => (
          <option key={each} value={each}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
