import { useState } from "react";
import { Table } from "../admin/Table";
import { useEvents } from "../api/events";
import { useResource } from "../api/resource";
import type { Quarantine } from "../api/types";
import { Dialog } from "../components/Dialog";
import { Drawn } from "../components/Panel";
import { useWords } from "../i18n";
import { dayTime } from "../i18n/time";
import { Verdict } from "./Verdict";

/** Files held back by the coordinate firewall, and what was decided about them; nothing while there are none. */
export function QuarantineList() {
  const { t } = useWords();
  const held = useResource<Quarantine[]>("/quarantine");
  const [shown, setShown] = useState<Quarantine | null>(null);
  useEvents(["dataset."], held.reload);
  return (
    <>
      <Drawn reading={held} isEmpty={(list) => list.length === 0} empty={null}>
        {(list) => (
          <>
            <h2>{t("imports.quarantine")}</h2>
            <Table
              label={t("imports.quarantine")}
              testId="quarantine-table"
              rows={list}
              rowKey={(each) => String(each.id)}
              columns={[
                { title: t("admin.layer"), cell: (each) => each.title },
                { title: t("admin.source"), cell: (each) => each.source_name },
                { title: t("imports.declared"), cell: (each) => each.declared_crs },
                { title: t("imports.proposed"), cell: (each) => each.findings.map((f) => f.reading).join(", ") },
                {
                  title: t("imports.rows"),
                  numeric: true,
                  cell: (each) =>
                    `${each.suspicious_rows.toLocaleString("en-US")} / ${each.row_count.toLocaleString("en-US")}`,
                },
                { title: t("admin.state"), cell: (each) => t(`imports.states.${each.state}`) },
                { title: t("admin.updated"), numeric: true, cell: (each) => dayTime(each.created_at) },
                {
                  title: "",
                  cell: (each) => (
                    <button
                      type="button"
                      className="btn btn-quiet"
                      onClick={() => setShown(each)}
                      data-testid={`quarantine-${each.id}`}
                    >
                      {t("imports.look")}
                    </button>
                  ),
                },
              ]}
            />
          </>
        )}
      </Drawn>
      {shown && (
        <Dialog title={shown.title} onClose={() => setShown(null)} testId="quarantine-dialog">
          <Verdict
            held={shown}
            onDecided={(decided) => {
              setShown(decided);
              held.reload();
            }}
          />
        </Dialog>
      )}
    </>
  );
}
