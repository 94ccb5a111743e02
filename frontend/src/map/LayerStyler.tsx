import { useState } from "react";
import { intention, post } from "../api/client";
import type { LayerDeclaration, LayerStyle } from "../api/types";
import { useWords } from "../i18n";
import { may, useMe } from "../state/session";

const PAUSE_MS = 400;
let pending = 0;

/** Colours of an imported layer by one of its attributes, saved with it for everybody. Only those who may import see it. */
export function LayerStyler({ layer }: { layer: LayerDeclaration }) {
  const { t } = useWords();
  const me = useMe();
  const [problem, setProblem] = useState<string | null>(null);
  if (layer.group !== "imported" || !may(me, "import") || layer.tooltip.length === 0) return null;
  const path = `/datasets/${layer.id.replace(/^dataset_/, "")}/style`;
  const style = layer.style;
  const save = (wanted: Partial<LayerStyle> | null) => {
    setProblem(null);
    post(path, wanted ?? {}, intention(), wanted === null ? "DELETE" : "PUT").catch((cause) =>
      setProblem(cause instanceof Error ? cause.message : String(cause)),
    );
  };
  const field = style?.field ?? "";
  return (
    <div className="layer-style" data-testid={`style-${layer.id}`}>
      <select
        className="field-input"
        value={field}
        aria-label={t("map.styleBy")}
        onChange={(event) =>
          save(event.target.value === "" ? null : { field: event.target.value, kind: "categories", classes: [] })
        }
      >
        <option value="">{t("map.styleDefault")}</option>
        {layer.tooltip.map((line) => (
          <option key={line.field} value={line.field}>
            {t("map.styleByField", { field: line.label })}
          </option>
        ))}
      </select>
      {style && (
        <div className="layer-style-kind">
          {(["categories", "graduated"] as const).map((kind) => (
            <button
              key={kind}
              type="button"
              className="btn btn-quiet"
              aria-pressed={style.kind === kind}
              onClick={() => save({ field, kind, classes: [] })}
            >
              {t(`map.styleKind.${kind}`)}
            </button>
          ))}
        </div>
      )}
      {style?.classes.map((each, at) => (
        <label key={`${each.label}:${at}`} className="layer-style-class">
          <input
            type="color"
            defaultValue={each.color}
            onChange={(event) => {
              const color = event.target.value;
              const classes = style.classes.map((other, i) => (i === at ? { ...other, color } : other));
              window.clearTimeout(pending);
              pending = window.setTimeout(() => save({ ...style, classes }), PAUSE_MS);
            }}
          />
          <span className="clip">{each.label}</span>
        </label>
      ))}
      {problem && (
        <p role="alert" className="layer-style-problem">
          {problem}
        </p>
      )}
    </div>
  );
}
