import { memo, useCallback, useDeferredValue, useMemo, useRef, useState } from "react";
import type { LayerContract, LayerDeclaration, LegendEntry } from "../api/types";
import { Drawn } from "../components/Panel";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { ContractBadge } from "./ContractBadge";
import { LayerExport } from "./LayerExport";
import { LayerStyler } from "./LayerStyler";
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

/** One layer: its switch, its standing, and, when it is on, its legend, opacity and terms. */
const Line = memo(function Line({
  layer,
  contract,
  opacity,
  toggle,
  setOpacity,
}: {
  layer: LayerDeclaration;
  contract: LayerContract;
  opacity: number | undefined;
  toggle: (id: string) => void;
  setOpacity: (id: string, opacity: number) => void;
}) {
  const { t, pick } = useWords();
  const title = pick(layer.title, layer.title_en);
  return (
    <li className="layer" data-testid={`layer-${layer.id}`}>
      <label className="layer-head">
        <input type="checkbox" checked={opacity !== undefined} onChange={() => toggle(layer.id)} />
        <span className="layer-picture" aria-hidden="true">
          {layer.thumbnail ? (
            <img src={layer.thumbnail} alt="" width="42" height="28" loading="lazy" decoding="async" />
          ) : (
            layer.legend[0] && <Swatch entry={layer.legend[0]} />
          )}
        </span>
        <span className="clip" title={title}>
          {title}
        </span>
        {layer.simulated && <SimulatedTag />}
        {contract.count !== null && <span className="num muted">{contract.count.toLocaleString("en-US")}</span>}
        <ContractBadge contract={contract} />
      </label>
      {opacity !== undefined && (
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
          <p className="layer-terms muted">
            {[
              pick(layer.terms.owner, layer.terms.owner_en),
              t(`map.sensitivity.${layer.terms.sensitivity}`),
              layer.terms.vintage,
              contract.state === "ok" ? "" : t(`map.contract.${contract.state}`),
              contract.detail,
            ]
              .filter(Boolean)
              .join(" · ")}
          </p>
          <LayerStyler layer={layer} />
          <LayerExport layer={layer} />
          <label className="layer-opacity">
            <span className="sr-only">{t("map.opacityOf", { name: title })}</span>
            <input
              type="range"
              min={10}
              max={100}
              step={5}
              value={Math.round(opacity * 100)}
              onChange={(event) => setOpacity(layer.id, Number(event.target.value) / 100)}
            />
            <span className="num">{Math.round(opacity * 100)}%</span>
          </label>
        </div>
      )}
    </li>
  );
});

/** All layers of the catalogue by group, folded but for groups in use; typing filters by title, English, pinyin or its initials. */
export function LayerTree({ catalogue }: { catalogue: ShownLayers }) {
  const { t, pick } = useWords();
  const [word, setWord] = useState("");
  const [folded, setFolded] = useState<Record<string, boolean>>({});
  const wanted = useDeferredValue(word.trim().toLowerCase());
  const { declared, shown, contracts } = catalogue;
  const actions = useRef(catalogue);
  actions.current = catalogue;
  const toggle = useCallback((id: string) => actions.current.toggle(id), []);
  const setOpacity = useCallback((id: string, to: number) => actions.current.setOpacity(id, to), []);
  const used = useRef(new Set<string>());
  for (const layer of declared) if (layer.id in shown) used.current.add(layer.group);
  const found = useMemo(() => declared.filter((layer) => matches(layer, wanted)), [declared, wanted]);
  return (
    <Drawn reading={catalogue.reading}>
      {({ groups }) => {
        const known = new Set(groups.map((group) => group.id));
        const all = [
          ...groups,
          ...[...new Set(declared.map((l) => l.group))]
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
                data-testid="find-layer"
                onChange={(event) => setWord(event.target.value)}
              />
              <button type="button" className="btn btn-quiet" onClick={catalogue.reset}>
                {t("map.defaultLayers")}
              </button>
            </div>
            {found.length === 0 && <p className="muted">{t("map.noLayer", { word: wanted })}</p>}
            {all.map((group) => {
              const mine = found.filter((layer) => layer.group === group.id);
              if (mine.length === 0) return null;
              const on = mine.filter((layer) => layer.id in shown).length;
              const open = wanted !== "" || !(folded[group.id] ?? (mine.length > FEW && !used.current.has(group.id)));
              return (
                <section key={group.id}>
                  <h3>
                    <button
                      type="button"
                      className="layer-group"
                      aria-expanded={open}
                      data-testid={`layer-group-${group.id}`}
                      onClick={() => setFolded({ ...folded, [group.id]: open })}
                    >
                      <span>{pick(group.title, group.title_en)}</span>
                      <span className="num">{on > 0 ? `${on} / ${mine.length}` : mine.length}</span>
                    </button>
                  </h3>
                  {open && (
                    <ul>
                      {mine.map((layer) => (
                        <Line
                          key={layer.id}
                          layer={layer}
                          contract={contracts[layer.id] ?? layer.contract}
                          opacity={shown[layer.id]}
                          toggle={toggle}
                          setOpacity={setOpacity}
                        />
                      ))}
                    </ul>
                  )}
                </section>
              );
            })}
          </div>
        );
      }}
    </Drawn>
  );
}

/** A group of so few layers is open from the start. */
const FEW = 8;

/** Whether a layer is meant: every part of what was typed stands in its titles, its id, its owner or the keys of its title. */
export function matches(
  layer: Pick<LayerDeclaration, "id" | "title" | "title_en" | "keys" | "terms">,
  wanted: string,
): boolean {
  if (wanted === "") return true;
  const text = `${layer.title} ${layer.title_en} ${layer.id} ${layer.keys} ${layer.terms.owner}`.toLowerCase();
  return wanted.split(/\s+/).every((part) => text.includes(part));
}
