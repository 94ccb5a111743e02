import { useState } from "react";
import { intention, post } from "../api/client";
import { useEvents } from "../api/events";
import { Problem } from "../api/problem";
import { useResource } from "../api/resource";
import type { Dataset, LayerCatalogue } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { ProblemLine } from "../components/ProblemLine";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { dayTime } from "../i18n/time";
import { QuarantineList } from "../imports/QuarantineList";
import { may, useMe } from "../state/session";
import { Table } from "./Table";

/** Every layer with its rows and freshness, and the files that people imported. */
export function LayersTab() {
  const { t, pick } = useWords();
  const me = useMe();
  const layers = useResource<LayerCatalogue>("/layers", {}, 60);
  const datasets = useResource<Dataset[]>("/datasets");
  const [problem, setProblem] = useState<Problem | null>(null);
  useEvents(["dataset."], () => {
    layers.reload();
    datasets.reload();
  });
  const remove = async (dataset: Dataset) => {
    if (!window.confirm(t("admin.removeSure", { name: dataset.title }))) return;
    try {
      await post(`/datasets/${dataset.id}`, {}, intention(), "DELETE");
      setProblem(null);
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    }
    datasets.reload();
    layers.reload();
  };
  return (
    <>
      <Drawn reading={layers} skeleton={<Skeleton rows={8} height="2rem" />}>
        {(catalogue) => (
          <Table
            label={t("admin.tabs.layers")}
            testId="layers-table"
            rows={catalogue.layers}
            rowKey={(layer) => layer.id}
            columns={[
              {
                title: t("admin.layer"),
                cell: (layer) => (
                  <span className="cell-name">
                    <strong>{pick(layer.title, layer.title_en)}</strong>
                    {layer.simulated && <SimulatedTag />}
                    <small className="muted">{layer.id}</small>
                  </span>
                ),
              },
              {
                title: t("admin.group"),
                cell: (layer) => {
                  const group = catalogue.groups.find((g) => g.id === layer.group);
                  return group ? pick(group.title, group.title_en) : layer.group;
                },
              },
              { title: t("admin.source"), cell: (layer) => layer.source.type.toUpperCase() },
              {
                title: t("admin.rows"),
                numeric: true,
                cell: (layer) => layer.contract?.count?.toLocaleString("en-US") ?? "—",
              },
              {
                title: t("admin.updated"),
                numeric: true,
                cell: (layer) => (layer.contract?.updated_at ? dayTime(layer.contract.updated_at) : "—"),
              },
              {
                title: t("admin.refreshed"),
                cell: (layer) => <small className="muted">{layer.refreshed_by?.join(", ") || "—"}</small>,
              },
            ]}
          />
        )}
      </Drawn>
      {may(me, "import") && <QuarantineList />}
      <h2>{t("admin.datasets")}</h2>
      <ProblemLine problem={problem} />
      <Drawn
        reading={datasets}
        isEmpty={(list) => list.length === 0}
        empty={<Empty title={t("admin.noDatasets")} hint={t("admin.noDatasetsHint")} />}
      >
        {(list) => (
          <Table
            label={t("admin.datasets")}
            testId="datasets-table"
            rows={list}
            rowKey={(dataset) => dataset.id}
            columns={[
              { title: t("admin.layer"), cell: (dataset) => pick(dataset.title, dataset.title_en) },
              { title: t("admin.source"), cell: (dataset) => `${dataset.format} · ${dataset.source_name}` },
              { title: t("admin.crs"), cell: (dataset) => dataset.crs },
              {
                title: t("admin.rows"),
                numeric: true,
                cell: (dataset) => dataset.feature_count.toLocaleString("en-US"),
              },
              { title: t("admin.rejected"), numeric: true, cell: (dataset) => dataset.rejected.length },
              { title: t("admin.updated"), numeric: true, cell: (dataset) => dayTime(dataset.created_at) },
              {
                title: "",
                cell: (dataset) =>
                  may(me, "import") && (
                    <button type="button" className="btn btn-quiet" onClick={() => void remove(dataset)}>
                      {t("admin.remove")}
                    </button>
                  ),
              },
            ]}
          />
        )}
      </Drawn>
    </>
  );
}
