import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { fullTime } from "../i18n/time";
import { formatCoordinate } from "./coordinates";
import type { Pick } from "./MapView";

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

function shown(value: unknown, unit: string | null | undefined, yes: string, no: string): string {
  if (value === null || value === undefined || value === "") return "—";
  if (typeof value === "boolean") return value ? yes : no;
  if (typeof value === "number")
    return `${value.toLocaleString("en-US", { maximumFractionDigits: 2 })}${unit ? ` ${unit}` : ""}`;
  const text = String(value);
  return ISO.test(text) ? fullTime(text) : `${text}${unit ? ` ${unit}` : ""}`;
}

/** A picked thing as text. Values come from data and stay text. */
export function FeatureCard({ pick: thing, onClose }: { pick: Pick; onClose: () => void }) {
  const { t, pick } = useWords();
  const { layer, properties } = thing;
  return (
    <aside className="feature-card panel" data-testid="feature-card">
      <header className="panel-head">
        <h2>{pick(layer.title, layer.title_en)}</h2>
        {(properties.simulated === true || layer.simulated) && <SimulatedTag />}
        <button type="button" className="btn btn-quiet" onClick={onClose} aria-label={t("i18n.close")}>
          ✕
        </button>
      </header>
      <dl>
        {layer.tooltip.map((field) => (
          <div key={field.field}>
            <dt>{pick(field.label, field.label_en)}</dt>
            <dd>{shown(properties[field.field], field.unit, t("map.yes"), t("map.no"))}</dd>
          </div>
        ))}
        <div>
          <dt>{t("map.place")}</dt>
          <dd className="num">{formatCoordinate(thing, "degrees")}</dd>
        </div>
      </dl>
    </aside>
  );
}
