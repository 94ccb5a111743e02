import { useCallback, useEffect, useState } from "react";
import { useEvents } from "../api/events";
import { useResource } from "../api/resource";
import type { Dataset, ImportJob, Quarantine } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { Connections } from "../connections/Connections";
import { useWords } from "../i18n";
import { may, useMe } from "../state/session";
import { JobCard } from "./JobCard";
import { NewImport } from "./NewImport";
import { QuarantineList } from "./QuarantineList";
import { SendingCard } from "./SendingCard";
import { sendings, useSendings } from "./uploads";
import "./imports.css";

const MOVING = new Set(["waiting", "reading", "storing"]);
const SHOWN = 8;

/** From a file to a layer: choose and declare on the left; what is on its way, what it would change and what became of it on the right. */
export function ImportsTab() {
  const { t } = useWords();
  const me = useMe();
  if (!may(me, "import")) return <Empty title={t("imports.forbidden")} hint={t("imports.forbiddenHint")} />;
  return <Imports />;
}

function Imports() {
  const { t } = useWords();
  const [every, setEvery] = useState(0);
  const [all, setAll] = useState(false);
  const jobs = useResource<ImportJob[]>("/imports", {}, every);
  const datasets = useResource<Dataset[]>("/datasets");
  const judged = useResource<Quarantine[]>("/quarantine");
  const sending = useSendings();
  const { reload } = jobs;
  const { reload: reloadDatasets } = datasets;
  const { reload: reloadJudged } = judged;
  const known = jobs.resource.data;
  useEffect(() => setEvery(known?.some((job) => MOVING.has(job.state)) ? 1 : 0), [known]);
  useEvents(["dataset."], () => {
    reload();
    reloadDatasets();
    reloadJudged();
  });
  useEffect(() => sendings.whenHanded(reload), [reload]);
  const changed = useCallback(() => {
    reload();
    reloadDatasets();
    reloadJudged();
  }, [reload, reloadDatasets, reloadJudged]);
  return (
    <>
      <div className="imports-desk">
        <NewImport datasets={datasets.resource.data ?? []} />
        <section className="imports-under-way" aria-label={t("imports.underWay")}>
          {sending.map((each) => (
            <SendingCard key={each.key} sending={each} />
          ))}
          <Drawn
            reading={jobs}
            skeleton={<Skeleton rows={3} height="4rem" />}
            isEmpty={(list) => list.length === 0 && sending.length === 0}
            empty={<Empty title={t("imports.none")} hint={t("imports.noneHint")} />}
          >
            {(list) => (
              <>
                {(all ? list : list.slice(0, SHOWN)).map((job, index) => (
                  <JobCard
                    key={job.id}
                    job={job}
                    first={index === 0}
                    verdict={judged.resource.data?.find((each) => each.id === job.problem?.quarantine)?.state ?? "held"}
                    onChanged={changed}
                  />
                ))}
                {list.length > SHOWN && !all && (
                  <button type="button" className="btn btn-quiet" onClick={() => setAll(true)}>
                    {t("imports.showAll", { n: list.length })}
                  </button>
                )}
              </>
            )}
          </Drawn>
        </section>
      </div>
      <QuarantineList />
      <Connections />
    </>
  );
}
