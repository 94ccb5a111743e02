import { useState } from "react";
import type { LayerDeclaration, LegendEntry } from "../api/types";
import { Drawn } from "../components/Panel";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import type { ShownLayers } from "./useCatalogue";

/** A swatch that paints as the map paints: same colour, same shape. */
export function Swatch({ entry }: { entry: LegendEntry }) {
  const shapes: Record<string, React.ReactNode> = {
    diamond: <path d="M8 1 15 8 8 15 1 8Z" fill={entry.color} />,
    triangle: <path d="M8 2 15 14H1Z" fill={entry.color} />,
    circle: <circle cx="8" cy="8" r="5" fill={entry.color} />,
    ring: <circle cx="8" cy="8" r="4.6" fill="none" stroke={entry.color} strokeWidth="2.4" />,
    line: <path d="M1 8H15" stroke={entry.color} strokeWidth="2.5" />,
    dash: <path d="M1 8H15" stroke={entry.color} strokeWidth="2" strokeDasharray="4 2.5" />,
    outline: <rect x="2" y="3" width="12" height="10" fill="none" stroke={entry.color} strokeWidth="2" />,
    square: <rect x="3" y="3" width="10" height="10" fill={entry.color} />,
    arrow: <path d="M8 1.5 13 14 8 11 3 14Z" fill={entry.color} />,
    heat: <circle cx="8" cy="8" r="7" fill={entry.color} fillOpacity="0.55" />,
    sector: <path d="M3 14 13 9 11 2Z" fill={entry.color} />,
  };
  return (
    <svg className="swatch" viewBox="0 0 16 16" aria-hidden="true">
      {shapes[entry.shape] ?? <rect x="1" y="3" width="14" height="10" rx="2" fill={entry.color} />}
    </svg>
  );
}

function Line({ layer, catalogue }: { layer: LayerDeclaration; catalogue: ShownLayers }) {
  const { t, pick } = useWords();
  const opacity = catalogue.shown[layer.id];
  const on = opacity !== undefined;
  const title = pick(layer.title, layer.title_en);
  return (
    <li className="layer" data-testid={`layer-${layer.id}`}>
      <label className="layer-head">
        <input type="checkbox" checked={on} onChange={() => catalogue.toggle(layer.id)} />
        <span className="clip" title={title}>
          {title}
        </span>
        {layer.simulated && <SimulatedTag />}
      </label>
      {on && (
        <div className="layer-more">
          {layer.legend.length > 0 && (
            <ul className="legend">
              {layer.legend.map((entry, i) => (
                <li key={i}>
                  <Swatch entry={entry} />
                  {pick(entry.label, entry.label_en)}
                </li>
              ))}
            </ul>
          )}
          <label className="layer-opacity">
            <span className="sr-only">{t("map.opacityOf", { name: title })}</span>
            <input
              type="range"
              min={10}
              max={100}
              step={5}
              value={Math.round(opacity * 100)}
              onChange={(event) => catalogue.setOpacity(layer.id, Number(event.target.value) / 100)}
            />
            <span className="num">{Math.round(opacity * 100)}%</span>
          </label>
        </div>
      )}
    </li>
  );
}

/** All layers of the catalogue by group; what is on shows its legend and opacity. */
export function LayerTree({ catalogue }: { catalogue: ShownLayers }) {
  const { t, pick } = useWords();
  const [word, setWord] = useState("");
  return (
    <Drawn reading={catalogue.reading}>
      {({ groups, layers }) => {
        const wanted = word.trim().toLowerCase();
        const matching = layers.filter(
          (l) => !wanted || `${l.title} ${l.title_en} ${l.id}`.toLowerCase().includes(wanted),
        );
        const known = new Set(groups.map((group) => group.id));
        const all = [
          ...groups,
          ...[...new Set(layers.map((l) => l.group))]
            .filter((g) => !known.has(g))
            .map((g) => ({ id: g, title: g, title_en: g })),
        ];
        return (
          <div className="layer-tree" data-testid="layer-tree">
            <div className="layer-tools">
              <input
                className="field-input"
                type="search"
                value={word}
                placeholder={t("map.findLayer")}
                aria-label={t("map.findLayer")}
                onChange={(event) => setWord(event.target.value)}
              />
              <button type="button" className="btn btn-quiet" onClick={catalogue.reset}>
                {t("map.defaultLayers")}
              </button>
            </div>
            {all.map((group) => {
              const mine = matching.filter((layer) => layer.group === group.id);
              if (mine.length === 0) return null;
              return (
                <section key={group.id}>
                  <h3>{pick(group.title, group.title_en)}</h3>
                  <ul>
                    {mine.map((layer) => (
                      <Line key={layer.id} layer={layer} catalogue={catalogue} />
                    ))}
                  </ul>
                </section>
              );
            })}
          </div>
        );
      }}
    </Drawn>
  );
}
