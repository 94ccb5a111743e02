import { useRef, useState } from "react";
import { Table } from "../admin/Table";
import { post } from "../api/client";
import { Problem } from "../api/problem";
import type { CamerasImported } from "../api/types";
import { ProblemLine } from "../components/ProblemLine";
import { useWords } from "../i18n";

/** A file of cameras: what was added and changed, and why each refused row was left out. */
export function ImportCameras({ onDone }: { onDone: () => void }) {
  const { t, side } = useWords();
  const input = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState<CamerasImported | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const send = async (file: File) => {
    setBusy(true);
    setDone(null);
    setProblem(null);
    const form = new FormData();
    form.append("file", file);
    try {
      setDone(await post<CamerasImported>("/cameras/import", form));
      onDone();
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    }
    setBusy(false);
    if (input.current) input.current.value = "";
  };
  return (
    <section className="camera-import" data-testid="camera-import">
      <div className="camera-import-head">
        <button type="button" className="btn" disabled={busy} onClick={() => input.current?.click()}>
          {t(busy ? "cameras.importing" : "cameras.import")}
        </button>
        <small className="muted">{t("cameras.importHint")}</small>
        <input
          ref={input}
          type="file"
          hidden
          accept=".csv,.json,.geojson,text/csv,application/geo+json"
          aria-label={t("cameras.import")}
          data-testid="camera-file"
          onChange={(event) => {
            const file = event.target.files?.[0];
            if (file) void send(file);
          }}
        />
      </div>
      <ProblemLine problem={problem} />
      {done && (
        <div role="status" data-testid="camera-imported">
          <p>
            <strong>
              {t("cameras.imported", { added: done.added, changed: done.changed, refused: done.refused_count })}
            </strong>
            {done.refused_count > done.refused.length && (
              <small className="muted"> {t("cameras.firstRefused", { n: done.refused.length })}</small>
            )}
          </p>
          {done.refused.length > 0 && (
            <div className="camera-refused">
              <Table
                label={t("cameras.reason")}
                rows={done.refused}
                rowKey={(each) => String(each.line)}
                columns={[
                  { title: t("cameras.line"), numeric: true, cell: (each) => each.line },
                  { title: t("cameras.code"), cell: (each) => <span className="num">{each.code}</span> },
                  { title: t("cameras.reason"), cell: (each) => side(each.reason) },
                ]}
              />
            </div>
          )}
        </div>
      )}
    </section>
  );
}
