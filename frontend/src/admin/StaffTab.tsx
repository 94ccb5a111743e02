import { useDeferredValue, useState } from "react";
import { useResource } from "../api/resource";
import type { StaffPage } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { dayTime } from "../i18n/time";
import { may, useMe } from "../state/session";
import { Table } from "./Table";

const ROLES = [
  "grid_worker",
  "inspector",
  "commander",
  "data_admin",
  "algorithm_operator",
  "system_admin",
  "auditor",
] as const;

/** Who may sign in, as what, and what they see. */
export function StaffTab() {
  const { t } = useWords();
  const me = useMe();
  if (!may(me, "staff")) return <Empty title={t("admin.staff.forbidden")} hint={t("admin.staff.forbiddenHint")} />;
  return <People />;
}

function People() {
  const { t } = useWords();
  const [role, setRole] = useState("");
  const [words, setWords] = useState("");
  const q = useDeferredValue(words.trim());
  const people = useResource<StaffPage>("/staff", { limit: "200", ...(role && { role }), ...(q && { q }) }, 60);
  return (
    <>
      <div className="staff-find">
        <input
          type="search"
          className="field-input"
          placeholder={t("admin.staff.find")}
          aria-label={t("admin.staff.find")}
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
        <select
          className="field-input"
          aria-label={t("admin.staff.role")}
          value={role}
          onChange={(event) => setRole(event.target.value)}
        >
          <option value="">{t("admin.staff.anyRole")}</option>
          {ROLES.map((each) => (
            <option key={each} value={each}>
              {t(`i18n.role.${each}`)}
            </option>
          ))}
        </select>
      </div>
      <Drawn
        reading={people}
        skeleton={<Skeleton rows={8} height="2rem" />}
        isEmpty={(page) => page.items.length === 0}
        empty={<Empty title={t("admin.staff.none")} hint={t("admin.staff.noneHint")} />}
      >
        {(page) => (
          <>
            <p className="muted num staff-count">
              {t("admin.staff.count", { n: page.total.toLocaleString("en-US") })}
              {page.total > page.items.length && <> · {t("admin.staff.more", { n: page.items.length })}</>}
            </p>
            <Table
              label={t("admin.tabs.staff")}
              testId="staff-table"
              rows={page.items}
              rowKey={(one) => one.username}
              columns={[
                {
                  title: t("admin.staff.person"),
                  cell: (one) => (
                    <span className="cell-name">
                      <strong>{one.name}</strong>
                      {one.simulated && <SimulatedTag />}
                      <small className="muted">{one.username}</small>
                    </span>
                  ),
                },
                { title: t("admin.staff.role"), cell: (one) => t(`i18n.role.${one.role}`) },
                { title: t("admin.staff.department"), cell: (one) => one.department },
                {
                  title: t("admin.staff.region"),
                  cell: (one) => (
                    <>
                      {one.region_name} <small className="muted num">{one.region_code}</small>
                    </>
                  ),
                },
                { title: t("admin.staff.grids"), numeric: true, cell: (one) => one.grids || "—" },
                {
                  title: t("admin.staff.seen"),
                  numeric: true,
                  cell: (one) =>
                    one.disabled
                      ? t("admin.staff.disabled")
                      : one.seen_at
                        ? dayTime(one.seen_at)
                        : t("admin.staff.never"),
                },
              ]}
            />
          </>
        )}
      </Drawn>
    </>
  );
}
