import { useWords } from "../i18n";

const FRAMES = ["EPSG:4490", "EPSG:4326", "EPSG:4528", "EPSG:4549", "EPSG:3857", "GCJ-02", "BD-09"] as const;

/** The frame that somebody declares for coordinates, or `none`: what the file or source says of itself. */
export function FrameRow({
  name,
  label,
  none,
  testId,
}: {
  name: string;
  label: string;
  none: string;
  testId?: string;
}) {
  return (
    <label>
      {label}
      <select className="field-input" name={name} defaultValue="" data-testid={testId}>
        <FrameOptions none={none} />
      </select>
    </label>
  );
}

/** The frames to choose from, after `none`. */
export function FrameOptions({ none }: { none: string }) {
  const { t } = useWords();
  return (
    <>
      <option value="">{none}</option>
      {FRAMES.map((frame) => (
        <option key={frame} value={frame}>
          {t(`imports.frames.${frame.replace(/\W/g, "")}`)}
        </option>
      ))}
    </>
  );
}
