import { useEffect, useId, useRef, useState } from "react";
import { get } from "../api/client";
import type { SearchHit } from "../api/types";
import { useWords } from "../i18n";
import { parseCoordinate } from "./coordinates";
import { flyTo } from "./instance";
import "./search.css";

const WAIT_MS = 120;

interface Props {
  onChoose?: (hit: SearchHit) => void;
  /** Switches a found layer on; where it is absent, layers are not offered. */
  onLayer?: (id: string) => void;
}

/** Finds layers, places and addresses by Chinese name, house number, pinyin, its initials or pasted coordinates. */
export function SearchBox({ onChoose, onLayer }: Props) {
  const { t } = useWords();
  const [word, setWord] = useState("");
  const [hits, setHits] = useState<SearchHit[] | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  const [at, setAt] = useState(0);
  const list = useId();
  const field = useRef<HTMLInputElement>(null);
  const here = parseCoordinate(word);
  const offered = onLayer !== undefined;

  useEffect(() => {
    const q = word.trim();
    if (q === "" || parseCoordinate(q)) {
      setHits(null);
      setFailed(null);
      return;
    }
    const abort = new AbortController();
    const timer = window.setTimeout(() => {
      get<{ items: SearchHit[] }>("/search", { q, limit: 8 }, abort.signal)
        .then(({ items }) => {
          setHits(offered ? items : items.filter((hit) => hit.kind !== "layer"));
          setFailed(null);
          setAt(0);
        })
        .catch((cause) => {
          if (!abort.signal.aborted) setFailed(cause instanceof Error ? cause.message : String(cause));
        });
    }, WAIT_MS);
    return () => {
      window.clearTimeout(timer);
      abort.abort();
    };
  }, [word, offered]);

  const choose = (hit: SearchHit) => {
    if (hit.kind === "layer") onLayer?.(hit.ref);
    else if (hit.lon !== null && hit.lat !== null) flyTo({ lon: hit.lon, lat: hit.lat, zoom: hit.zoom });
    onChoose?.(hit);
    setHits(null);
    setWord("");
    field.current?.blur();
  };

  return (
    <div className="search" role="search">
      <input
        ref={field}
        className="field-input"
        type="search"
        value={word}
        placeholder={t("map.pasteHint")}
        aria-label={t("i18n.search")}
        aria-controls={list}
        aria-expanded={hits !== null}
        role="combobox"
        aria-autocomplete="list"
        data-testid="search"
        onChange={(event) => setWord(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") setWord("");
          else if (event.key === "ArrowDown") setAt((i) => Math.min((hits?.length ?? 1) - 1, i + 1));
          else if (event.key === "ArrowUp") setAt((i) => Math.max(0, i - 1));
          else if (event.key === "Enter") {
            const hit = hits?.[at];
            if (here) flyTo({ ...here, zoom: 16 });
            else if (hit) choose(hit);
          } else return;
          event.preventDefault();
        }}
      />
      {(hits !== null || failed !== null || here) && (
        <div id={list} className="search-hits panel" role="listbox" data-testid="search-hits">
          {here && (
            <div role="option" aria-selected="true" tabIndex={-1} onPointerDown={() => flyTo({ ...here, zoom: 16 })}>
              <strong>{t("map.coordinate")}</strong>
              <span className="num muted">
                {here.lon.toFixed(6)}, {here.lat.toFixed(6)}
              </span>
            </div>
          )}
          {failed !== null && <div className="muted">{failed}</div>}
          {hits?.length === 0 && (
            <div className="muted">
              {t("map.noHit", { word })}
              <span>{t("map.noHitHint")}</span>
            </div>
          )}
          {hits?.map((hit, i) => (
            <div
              key={`${hit.kind}:${hit.ref}`}
              role="option"
              aria-selected={i === at}
              tabIndex={-1}
              onPointerDown={() => choose(hit)}
            >
              <strong>{hit.name}</strong>
              <span className="muted clip">{hit.kind === "layer" ? t("map.layerOn") : hit.detail}</span>
            </div>
          ))}
        </div>
      )}
    </div>
  );
}
