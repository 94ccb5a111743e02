import { type FormEvent, useState } from "react";
import type { Dataset } from "../api/types";
import { TextRow } from "../components/TextRow";
import { useWords } from "../i18n";
import { FrameRow } from "./FrameRow";
import { bytes } from "./figures";
import { sendings } from "./uploads";

const KINDS =
  ".geojson,.json,.geojsonl,.geojsons,.ndjson,.zip,.gpkg,.kml,.kmz,.gml,.dxf,.fgb,.parquet,.geoparquet,.csv,.tsv,.txt,.xlsx";
const MODES = ["create", "append", "upsert", "replace"] as const;
const SHEETS = /\.(csv|tsv|txt|xlsx)$/i;

/** Choose or drop files, say what they are, and send them. One declaration for all files chosen together. */
export function NewImport({ datasets }: { datasets: readonly Dataset[] }) {
  const { t, pick } = useWords();
  const [files, setFiles] = useState<readonly File[]>([]);
  const [title, setTitle] = useState("");
  const [mode, setMode] = useState<(typeof MODES)[number]>("create");
  const [target, setTarget] = useState("");
  const [over, setOver] = useState(false);
  const into = datasets.find((dataset) => dataset.id === target);
  const creating = mode === "create";

  const take = (chosen: FileList | null) => {
    const list = [...(chosen ?? [])].filter((file) => file.size > 0);
    setFiles(list);
    if (list[0]) setTitle(list.length === 1 ? nameOf(list[0]) : "");
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const said = Object.fromEntries(
      [...new FormData(event.currentTarget)].map(([name, value]) => [name, String(value)]),
    );
    for (const file of files) {
      const called = creating ? (files.length === 1 ? title : nameOf(file)) : (into?.title ?? nameOf(file));
      sendings.add(file, { ...said, title: called, preview: "true" });
    }
    setFiles([]);
    setTitle("");
  };

  return (
    <form className="new-import" onSubmit={submit} data-testid="new-import">
      <label
        className={over ? "drop drop-over" : "drop"}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          take(event.dataTransfer.files);
        }}
      >
        <input
          type="file"
          multiple
          accept={KINDS}
          className="sr-only"
          data-testid="import-file"
          onChange={(event) => {
            take(event.target.files);
            event.target.value = "";
          }}
        />
        {files.length === 0 ? (
          <>
            <strong>{t("imports.drop")}</strong>
            <small className="muted">{t("imports.kinds")}</small>
          </>
        ) : (
          <ul className="drop-files" data-testid="import-files">
            {files.map((file) => (
              <li key={file.name}>
                <strong>{file.name}</strong> <small className="muted num">{bytes(file.size)}</small>
              </li>
            ))}
          </ul>
        )}
      </label>

      <label>
        {t("imports.mode")}
        <select
          className="field-input"
          name="mode"
          value={mode}
          data-testid="import-mode"
          onChange={(event) => setMode(event.target.value as (typeof MODES)[number])}
        >
          {MODES.map((each) => (
            <option key={each} value={each} disabled={each !== "create" && datasets.length === 0}>
              {t(`imports.modes.${each}`)}
            </option>
          ))}
        </select>
        <small className="muted">{t(`imports.modeHints.${mode}`)}</small>
      </label>
      {creating ? (
        files.length < 2 && (
          <TextRow
            label={t("imports.title")}
            required
            maxLength={120}
            value={title}
            testId="import-title"
            onChange={(event) => setTitle(event.target.value)}
          />
        )
      ) : (
        <label>
          {t("imports.target")}
          <select
            className="field-input"
            name="dataset"
            required
            value={target}
            data-testid="import-target"
            onChange={(event) => setTarget(event.target.value)}
          >
            <option value="">{t("imports.choose")}</option>
            {datasets.map((dataset) => (
              <option key={dataset.id} value={dataset.id}>
                {pick(dataset.title, dataset.title_en)} ({dataset.feature_count.toLocaleString("en-US")})
              </option>
            ))}
          </select>
        </label>
      )}
      <div className="import-pair">
        {into && !creating ? (
          <label>
            {t("imports.key")}
            <select
              key={into.id}
              className="field-input"
              name="key"
              defaultValue={into.key ?? ""}
              required={mode === "upsert"}
              data-testid="import-key"
            >
              <option value="">{t("imports.noKey")}</option>
              {into.attributes.map((attribute) => (
                <option key={attribute.name} value={attribute.name}>
                  {attribute.name}
                </option>
              ))}
            </select>
          </label>
        ) : (
          <TextRow
            label={t("imports.key")}
            name="key"
            maxLength={120}
            placeholder={t("imports.keyHint")}
            testId="import-key"
          />
        )}
        <FrameRow name="crs" label={t("imports.frame")} none={t("imports.auto")} testId="import-frame" />
      </div>
      <div className="import-pair">
        {creating && (
          <>
            <TextRow label={t("imports.owner")} name="owner" maxLength={120} placeholder={t("imports.ownerHint")} />
            <TextRow
              label={t("imports.licence")}
              name="licence"
              maxLength={200}
              placeholder={t("imports.licenceHint")}
            />
          </>
        )}
        <TextRow
          label={t("imports.vintage")}
          name="vintage"
          maxLength={10}
          pattern={"\\d{4}(-\\d{2}(-\\d{2})?)?"}
          placeholder={t("imports.vintageHint")}
          title={t("imports.vintageTitle")}
          testId="import-vintage"
        />
      </div>
      <details open={files.some((file) => SHEETS.test(file.name)) || undefined}>
        <summary>{t("imports.more")}</summary>
        <div className="import-pair">
          <TextRow label={t("imports.x")} name="x" maxLength={120} placeholder={t("imports.byName")} />
          <TextRow label={t("imports.y")} name="y" maxLength={120} placeholder={t("imports.byName")} />
          <TextRow
            label={t("imports.address")}
            name="address"
            maxLength={120}
            placeholder={t("imports.byName")}
            title={t("imports.addressHint")}
          />
          <TextRow label={t("imports.height")} name="height" maxLength={120} placeholder={t("imports.heightHint")} />
          <label>
            {t("imports.datum")}
            <select className="field-input" name="datum" defaultValue="">
              <option value="">{t("imports.noDatum")}</option>
              <option value="1985">{t("imports.datum1985")}</option>
              <option value="ellipsoidal">{t("imports.ellipsoidal")}</option>
            </select>
          </label>
          <label>
            {t("imports.encoding")}
            <select className="field-input" name="encoding" defaultValue="">
              <option value="">{t("imports.auto")}</option>
              <option>UTF-8</option>
              <option>GB18030</option>
              <option>Big5</option>
            </select>
          </label>
          <TextRow label={t("imports.sheet")} name="layer" maxLength={120} />
          <label>
            {t("imports.axes")}
            <select className="field-input" name="axes" defaultValue="xy">
              <option value="xy">{t("imports.xy")}</option>
              <option value="yx">{t("imports.yx")}</option>
            </select>
          </label>
        </div>
      </details>
      <button
        type="submit"
        className="btn btn-primary"
        disabled={files.length === 0 || (!creating && target === "")}
        data-testid="import-begin"
      >
        {t("imports.begin")}
      </button>
      <small className="muted">{t("imports.beginHint")}</small>
    </form>
  );
}

function nameOf(file: File): string {
  return file.name.replace(/(\.[A-Za-z0-9]{1,10})+$/, "") || file.name;
}
