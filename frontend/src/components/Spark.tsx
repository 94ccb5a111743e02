/** A small line of hourly values, oldest first; unknown hours leave a gap. Drawn without axes: the figure beside it has the number. */
export function Spark({ values, label }: { values: readonly (number | null)[]; label: string }) {
  const known = values.filter((v): v is number => v !== null && Number.isFinite(v));
  const low = Math.min(...known, 0);
  const span = Math.max(...known) - low || 1;
  const step = 100 / Math.max(1, values.length - 1);
  let path = "";
  let pen = false;
  values.forEach((value, i) => {
    if (value === null || !Number.isFinite(value)) {
      pen = false;
      return;
    }
    path += `${pen ? "L" : "M"}${(i * step).toFixed(2)} ${(22 - ((value - low) / span) * 20).toFixed(2)}`;
    pen = true;
  });
  return (
    <svg className="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label={label}>
      {known.length === 0 ? (
        <path d="M0 22H100" strokeDasharray="2 3" vectorEffect="non-scaling-stroke" />
      ) : (
        <path d={path} vectorEffect="non-scaling-stroke" />
      )}
    </svg>
  );
}
