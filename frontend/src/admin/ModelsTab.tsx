import { useResource } from "../api/resource";
import type { Detector, Model, Rule } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { useWords } from "../i18n";
import { Lessons, ReviewMinutes, Rollouts } from "./LearningPanes";
import { Table } from "./Table";

/** Camera algorithms with what keeps an unavailable one from running, what verdicts taught of them, versions on trial, and the weights on disk. */
export function ModelsTab() {
  const { t, pick, side, kind, tongue } = useWords();
  const detectors = useResource<Detector[]>("/detectors");
  const models = useResource<Model[]>("/models");
  return (
    <>
      <Drawn reading={detectors} skeleton={<Skeleton rows={5} height="2rem" />}>
        {(list) => (
          <Table
            label={t("admin.detector")}
            testId="detectors-table"
            rows={list}
            rowKey={(d) => d.id}
            columns={[
              {
                title: t("admin.detector"),
                cell: (d) => (
                  <span className="cell-name">
                    <strong>{pick(d.title, d.title_en)}</strong>
                    <small className="muted">
                      {d.id} {d.version}
                    </small>
                  </span>
                ),
              },
              {
                title: t("admin.state"),
                cell: (d) =>
                  d.available ? (
                    <span className="state-good">{t("admin.available")}</span>
                  ) : (
                    <span className="state-bad">
                      {t("admin.unavailable")}
                      <small>{side(d.reason)}</small>
                      <small className="muted">{side(d.remedy)}</small>
                    </span>
                  ),
              },
              {
                title: t("admin.kinds"),
                cell: (d) => (
                  <small title={Object.keys(d.kinds).join(", ")}>
                    {Object.entries(d.kinds)
                      .map(([from, to]) => [kind(from), kind(to)])
                      .map(([from, to]) => (from === to ? from : `${from} → ${to}`))
                      .filter((line, i, all) => all.indexOf(line) === i)
                      .join(tongue === "zh" ? "、" : ", ")}
                  </small>
                ),
              },
              {
                title: t("admin.threshold"),
                numeric: true,
                cell: (d) => `${d.threshold} · ${t("admin.confirm", { need: d.need, within: d.within_s })}`,
              },
              { title: t("admin.measured"), cell: (d) => <small className="muted">{d.measured || "—"}</small> },
              {
                title: t("admin.model"),
                cell: (d) => (
                  <small title={d.model_sha256 ?? ""}>
                    {d.model ? `${d.model} ${(d.model_sha256 ?? "").slice(0, 10)}` : "—"}
                  </small>
                ),
              },
            ]}
          />
        )}
      </Drawn>
      <Lessons />
      <ReviewMinutes />
      <Rollouts />
      <h2>{t("admin.model")}</h2>
      <Drawn
        reading={models}
        isEmpty={(list) => list.length === 0}
        empty={<Empty title={t("admin.noModels")} hint={t("admin.noModelsHint")} />}
      >
        {(list) => (
          <Table
            label={t("admin.model")}
            testId="models-table"
            rows={list}
            rowKey={(m) => m.id}
            columns={[
              { title: t("admin.model"), cell: (m) => <strong>{m.id}</strong> },
              { title: t("admin.source"), cell: (m) => `${m.format} ${m.imgsz}` },
              {
                title: t("admin.classes"),
                cell: (m) => (
                  <small>
                    {m.classes.slice(0, 8).join(", ") + (m.classes.length > 8 ? ` … ${m.classes.length}` : "")}
                  </small>
                ),
              },
              { title: t("admin.hash"), cell: (m) => <small title={m.sha256}>{m.sha256.slice(0, 12)}</small> },
              { title: t("admin.licence"), cell: (m) => <small>{m.licence || "—"}</small> },
              { title: t("admin.measured"), cell: (m) => <small className="muted">{m.notes || m.provenance}</small> },
            ]}
          />
        )}
      </Drawn>
    </>
  );
}

/** The rules as they run, each with the lines of its own table. */
export function RulesTab() {
  const { t, pick, kind, tongue } = useWords();
  const rules = useResource<Rule[]>("/rules");
  return (
    <Drawn reading={rules} skeleton={<Skeleton rows={5} height="2rem" />}>
      {(list) => (
        <Table
          label={t("admin.rule")}
          testId="rules-table"
          rows={list}
          rowKey={(rule) => rule.id}
          columns={[
            {
              title: t("admin.rule"),
              cell: (rule) => (
                <span className="cell-name">
                  <strong>{pick(rule.title, rule.title_en)}</strong>
                  <small className="muted">
                    {rule.id} {rule.version}
                  </small>
                </span>
              ),
            },
            {
              title: t("admin.kinds"),
              cell: (rule) => <small>{rule.kinds.map(kind).join(tongue === "zh" ? "、" : ", ")}</small>,
            },
            {
              title: t("admin.examples"),
              cell: (rule) => (
                <small className="muted">
                  {rule.examples.map((example) => `${example.name} → ${example.expect}`).join("；")}
                </small>
              ),
            },
          ]}
        />
      )}
    </Drawn>
  );
}
