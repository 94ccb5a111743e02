import { useEffect, useRef, useState } from "react";
import { PhotoProof } from "../alerts/PhotoProof";
import { post } from "../api/client";
import { useEvents } from "../api/events";
import { isRefused, Problem } from "../api/problem";
import { useResource } from "../api/resource";
import type { CaseAction, CaseDetail, EvidenceOut } from "../api/types";
import { Drawn, Failed } from "../components/Panel";
import { Picture } from "../components/Picture";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { dayTime } from "../i18n/time";
import { changeView } from "../state/location";
import { newKey, takePhoto } from "./photo";
import { TimeLeft } from "./Tasks";

const PATH = ["reported", "filed", "dispatched", "received", "handling", "handled", "closed"] as const;

/** One case over the whole phone: where it stands, what happened, and only the steps this person may take. */
export function CaseSheet({ id }: { id: string }) {
  const { t } = useWords();
  const reading = useResource<CaseDetail>(`/cases/${id}`);
  useEvents(["case.changed"], (event) => {
    if (event.entity_id === id) reading.reload();
  });
  return (
    <section className="field-sheet" data-testid="case-sheet">
      <header>
        <button type="button" className="field-back" data-testid="back" onClick={() => changeView({ selection: null })}>
          ‹ {t("field.back")}
        </button>
        <span className="num muted">{reading.resource.data?.number}</span>
      </header>
      <div className="field-scroll">
        <Drawn reading={reading}>
          {(item) => <Body item={item} onChange={(next) => reading.patch(() => next)} reload={reading.reload} />}
        </Drawn>
      </div>
    </section>
  );
}

function Body({
  item,
  onChange,
  reload,
}: {
  item: CaseDetail;
  onChange: (item: CaseDetail) => void;
  reload: () => void;
}) {
  const { t, pick } = useWords();
  const steps = useSteps(item, onChange, reload);
  const offered = new Set(item.actions.map((action) => action.action));
  return (
    <>
      <div className="field-title">
        <h1>{pick(item.category_name, item.category_name_en)}</h1>
        {item.simulated && <SimulatedTag />}
        <em>{pick(item.state_name, item.state_name_en)}</em>
      </div>
      <Progress state={item.state} />
      <p className="muted">
        {item.place.name} · ±{Math.round(item.place.accuracy_m)} m
      </p>
      <p>
        <TimeLeft item={item} />
      </p>
      {item.description && <p>{item.description}</p>}
      {item.evidence.length > 0 && (
        <ul className="field-photos" aria-label={t("field.photos")}>
          {item.evidence.map((sha) => (
            <li key={sha}>
              <Picture sha={sha} alt={t("field.photos")} />
              {item.origin === "patch" && item.alert_id !== null && <PhotoProof alertId={item.alert_id} sha={sha} />}
            </li>
          ))}
        </ul>
      )}
      {steps.failures.map(({ given, problem }) => (
        <Failed
          key={given.action}
          problem={problem}
          retry={offered.has(given.action) ? () => void steps.take(given) : undefined}
        />
      ))}
      {item.actions.map((action) => (
        <ActionForm key={action.action} item={item} action={action} steps={steps} />
      ))}
      <h2>{t("field.history")}</h2>
      <ol className="field-steps" data-testid="case-steps">
        {item.steps.map((step) => (
          <li key={`${step.action}${step.at}`}>
            <strong>{pick(step.action_name, step.action_name_en)}</strong>
            <span className="muted num">
              {dayTime(step.at)} {step.by ?? ""}
            </span>
            {step.note && <span>{step.note}</span>}
          </li>
        ))}
      </ol>
    </>
  );
}

function Progress({ state }: { state: string }) {
  const { t } = useWords();
  const at = PATH.indexOf(state as (typeof PATH)[number]);
  return (
    <ol className="field-progress" aria-label={t("field.history")}>
      {PATH.map((name, index) => (
        <li key={name} data-done={index <= at ? "" : undefined} aria-current={index === at ? "step" : undefined}>
          {t(`field.step.${name}`)}
        </li>
      ))}
    </ol>
  );
}

/** What a person gave for one step. Key and version stay together: without an answer the same request is sent again, as it was. */
interface Given {
  action: string;
  key: string;
  version: number | null;
  note: string;
  handler: string;
  picture: File | null;
}

interface Failure {
  given: Given;
  problem: Problem;
}

interface Steps {
  busy: boolean;
  failures: readonly Failure[];
  /** True when the step is stored. One after another: a photo given while a step is under way is sent after it. */
  take: (given: Given) => Promise<boolean>;
}

/** What could not be stored, by case, one a step: kept for as long as the page is open, also while another case is looked at. */
const unsent = new Map<number, Failure[]>();

function useSteps(item: CaseDetail, onChange: (item: CaseDetail) => void, reload: () => void): Steps {
  const seen = useRef(item);
  if (item.version > seen.current.version) seen.current = item;
  const before = useRef<Promise<unknown>>(Promise.resolve());
  const [waiting, setWaiting] = useState(0);
  const [, redraw] = useState(0);
  const offered = new Set(item.actions.map((action) => action.action));

  const keep = (action: string, failure: Failure | null) => {
    const others = (unsent.get(item.id) ?? []).filter((each) => each.given.action !== action);
    unsent.set(item.id, failure ? [...others, failure] : others);
    redraw((n) => n + 1);
  };
  // Nobody answered, and the step cannot be taken any more: it was stored, as the case itself says.
  const stood = (unsent.get(item.id) ?? []).filter(
    (each) => !isRefused(each.problem) && !offered.has(each.given.action),
  );
  useEffect(() => {
    for (const each of stood) keep(each.given.action, null);
  });

  const send = async (given: Given): Promise<boolean> => {
    const version = given.version ?? seen.current.version;
    keep(given.action, null);
    try {
      const evidence: string[] = [];
      if (given.picture) {
        const photo = await takePhoto(given.picture);
        const form = new FormData();
        form.set("file", photo.blob, "photo.jpg");
        form.set("taken_at", photo.takenAt);
        evidence.push((await post<EvidenceOut>("/evidence", form, `${given.key}-photo`)).sha256);
      }
      const body = {
        action: given.action,
        version,
        note: given.note,
        evidence,
        handler_id: given.handler ? Number(given.handler) : null,
      };
      const next = await post<CaseDetail>(`/cases/${item.id}/steps`, body, given.key);
      if (next.version > seen.current.version) seen.current = next;
      onChange(next);
      return true;
    } catch (cause) {
      const problem = cause instanceof Problem ? cause : Problem.unreachable(cause);
      const again = isRefused(problem) ? { key: newKey(), version: null } : { version };
      keep(given.action, { given: { ...given, ...again }, problem });
      reload();
      return false;
    }
  };

  return {
    busy: waiting > 0,
    failures: unsent.get(item.id) ?? [],
    take: async (given) => {
      setWaiting((n) => n + 1);
      const sent = before.current.then(() => send(given));
      before.current = sent;
      try {
        return await sent;
      } finally {
        setWaiting((n) => n - 1);
      }
    },
  };
}

function ActionForm({ item, action, steps }: { item: CaseDetail; action: CaseAction; steps: Steps }) {
  const { t, pick } = useWords();
  const file = useRef<HTMLInputElement>(null);
  const [note, setNote] = useState("");
  const [handler, setHandler] = useState("");
  const needs = new Set<string>(action.needs);
  const missing =
    needs.has("note") && note.trim() === ""
      ? t("field.needNote")
      : needs.has("handler") && !handler
        ? t("field.needHandler")
        : null;

  const take = async (picture: File | null) => {
    if (await steps.take({ action: action.action, key: newKey(), version: null, note, handler, picture })) setNote("");
  };

  return (
    <form
      className="field-action"
      onSubmit={(event) => {
        event.preventDefault();
        if (needs.has("evidence")) file.current?.click();
        else void take(null);
      }}
    >
      {needs.has("handler") && (
        <select
          className="field-input"
          aria-label={t("field.handler")}
          value={handler}
          onChange={(e) => setHandler(e.target.value)}
        >
          <option value="">{t("field.needHandler")}</option>
          {item.handlers.map((person) => (
            <option key={String(person.id)} value={String(person.id)}>
              {String(person.name)} · {String(person.department)}
            </option>
          ))}
        </select>
      )}
      {needs.has("note") && (
        <input
          className="field-input"
          placeholder={t("field.needNote")}
          aria-label={`${pick(action.name, action.name_en)}: ${t("field.needNote")}`}
          maxLength={2000}
          value={note}
          onChange={(event) => setNote(event.target.value)}
        />
      )}
      <button
        type="submit"
        className={needs.has("note") ? "btn field-big" : "btn btn-primary field-big"}
        disabled={steps.busy || missing !== null}
        title={missing ?? undefined}
        data-testid={`action-${action.action}`}
      >
        {needs.has("evidence") ? `${t("field.photo")} · ` : ""}
        {pick(action.name, action.name_en)}
      </button>
      {needs.has("evidence") && (
        <input
          ref={file}
          className="sr-only"
          type="file"
          accept="image/*"
          capture="environment"
          tabIndex={-1}
          aria-label={t("field.photo")}
          data-testid={`photo-${action.action}`}
          onChange={(event) => {
            const picture = event.target.files?.[0];
            if (picture) void take(picture);
            event.target.value = "";
          }}
        />
      )}
    </form>
  );
}
