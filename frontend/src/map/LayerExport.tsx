import { useEffect, useState } from "react";
import { get, post } from "../api/client";
import { Problem } from "../api/problem";
import type { ExportIn, ExportOut, LayerDeclaration } from "../api/types";
import { Dialog } from "../components/Dialog";
import { Failed } from "../components/Panel";
import { useWords } from "../i18n";
import "./export.css";

const FORMATS = ["pdf", "gpkg", "geojson", "shapefile", "geoparquet", "csv", "xlsx"] as const;
const FRAMES = ["EPSG:4490", "EPSG:4528", "EPSG:4326", "EPSG:3857", "GCJ-02"] as const;
const ASK_AGAIN_MS = 1000;

type Asked = Pick<ExportIn, "format" | "crs" | "reason"> & { paper: "A4" | "A3"; filter: string };

/** A layer as a file or a printed sheet: what for is asked, because each export is audited with its reason. */
export function LayerExport({ layer }: { layer: LayerDeclaration }) {
  const { t, pick } = useWords();
  const [open, setOpen] = useState(false);
  if (layer.tooltip.length === 0) return null;
  const title = pick(layer.title, layer.title_en);
  return (
    <>
      <button
        type="button"
        className="btn btn-quiet layer-export"
        data-testid={`export-${layer.id}`}
        onClick={() => setOpen(true)}
      >
        {t("map.export.open")}
      </button>
      {open && (
        <Dialog title={t("map.export.title", { name: title })} onClose={() => setOpen(false)} testId="export-dialog">
          <Form layer={layer} />
        </Dialog>
      )}
    </>
  );
}

function Form({ layer }: { layer: LayerDeclaration }) {
  const { t } = useWords();
  const [asked, setAsked] = useState<Asked>({ format: "pdf", crs: "EPSG:4490", reason: "", paper: "A4", filter: "" });
  const [made, setMade] = useState<ExportOut | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const waiting = made !== null && (made.state === "queued" || made.state === "running");
  const failed = (cause: unknown) => setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));

  useEffect(() => {
    if (!made || !waiting) return;
    const abort = new AbortController();
    const timer = window.setTimeout(() => {
      get<ExportOut>(`/exports/${made.id}`, {}, abort.signal)
        .then(setMade)
        .catch((cause) => !abort.signal.aborted && failed(cause));
    }, ASK_AGAIN_MS);
    return () => {
      abort.abort();
      window.clearTimeout(timer);
    };
  }, [made, waiting]);

  const ask = () => {
    setProblem(null);
    setMade(null);
    post<ExportOut>("/exports", { ...asked, layer: layer.id, filter: asked.filter.trim() || null })
      .then(setMade)
      .catch(failed);
  };
  const choice = <K extends "format" | "crs" | "paper">(name: K, among: readonly Asked[K][]) => (
    <label>
      <span>{t(`map.export.${name}`)}</span>
      <select
        className="field-input"
        value={asked[name]}
        data-testid={`export-${name}`}
        onChange={(event) => setAsked({ ...asked, [name]: event.target.value })}
      >
        {among.map((each) => (
          <option key={each} value={each}>
            {t(`map.export.is.${String(each).replace("EPSG:", "e")}`)}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <form
      className="export"
      onSubmit={(event) => {
        event.preventDefault();
        ask();
      }}
    >
      {choice("format", FORMATS)}
      {choice("crs", FRAMES)}
      {asked.format === "pdf" && choice("paper", ["A4", "A3"])}
      <label>
        <span>{t("map.export.filter")}</span>
        <input
          className="field-input"
          value={asked.filter}
          placeholder="CQL2"
          data-testid="export-filter"
          onChange={(event) => setAsked({ ...asked, filter: event.target.value })}
        />
      </label>
      <label>
        <span>{t("map.export.reason")}</span>
        <input
          className="field-input"
          required
          minLength={2}
          maxLength={400}
          value={asked.reason}
          data-testid="export-reason"
          onChange={(event) => setAsked({ ...asked, reason: event.target.value })}
        />
      </label>
      <p className="muted">{t("map.export.audited")}</p>
      <div className="export-end">
        <button type="submit" className="btn btn-primary" disabled={waiting} data-testid="export-ask">
          {t(waiting ? "map.export.making" : "map.export.make")}
        </button>
        {made?.file && (
          <a className="btn" href={made.file} download data-testid="export-file">
            {t("map.export.fetch", {
              rows: made.row_count.toLocaleString("en-US"),
              size: Math.ceil(made.bytes / 1024),
            })}
          </a>
        )}
      </div>
      {made?.state === "failed" && <p role="alert">{made.error}</p>}
      {problem && <Failed problem={problem} />}
    </form>
  );
}
