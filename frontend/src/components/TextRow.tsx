import type { InputHTMLAttributes } from "react";

/** A label and the line of text below it. */
export function TextRow({
  label,
  testId,
  ...input
}: { label: string; testId?: string } & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <label>
      {label}
      <input className="field-input" data-testid={testId} {...input} />
    </label>
  );
}
