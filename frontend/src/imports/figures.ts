/** Bytes as people read them. */
export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  const [value, unit] = count < 1024 ** 2 ? [count / 1024, "KiB"] : [count / 1024 ** 2, "MiB"];
  return `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en-US")} ${unit}`;
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** A value of an attribute in a table cell. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return "—";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Attributes of an example worth a column: those that change come first. */
export function columns(examples: readonly Pair[], most = 6): string[] {
  const found = new Map<string, boolean>();
  for (const { before, after } of examples) {
    for (const name of new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])) {
      const differs = before !== null && after !== null && cell(before[name]) !== cell(after[name]);
      found.set(name, differs || (found.get(name) ?? false));
    }
  }
  const names = [...found.keys()];
  return [...names.filter((name) => found.get(name)), ...names.filter((name) => !found.get(name))].slice(0, most);
}

interface Pair {
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}
