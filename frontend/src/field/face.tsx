import { registerSW } from "virtual:pwa-register";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useEvents, useStream } from "../api/events";
import { prefetch, useResource } from "../api/resource";
import type { Task } from "../api/types";
import { useWords } from "../i18n";
import { changeFilters, changeView, useView } from "../state/location";
import { useMe } from "../state/session";
import { selected } from "../state/view";
import { CaseSheet } from "./CaseSheet";
import { FieldMap } from "./FieldMap";
import { Mine } from "./Mine";
import type { Photo } from "./outbox";
import { useOutbox } from "./outbox";
import { takePhoto } from "./photo";
import { Report } from "./Report";
import { Tasks } from "./Tasks";
import { usePosition } from "./usePosition";
import "./field.css";

/** The zoom at which a phone shows some streets around, not one block. */
const STREETS = 15;

const TABS = ["tasks", "map", "me"] as const;
type Tab = (typeof TABS)[number];

const ICONS: Record<Tab | "report", ReactNode> = {
  tasks: <path d="M5 4h14v16H5zM8.5 9h7M8.5 13h7M8.5 17h4" />,
  map: <path d="m3.5 6 5.5-2 6 2 5.5-2v14l-5.5 2-6-2-5.5 2zM9 4v14m6-12v14" />,
  me: <path d="M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7.5 8c.8-3.6 3.6-5.5 7.5-5.5s6.7 1.9 7.5 5.5" />,
  report: <path d="M4 8h3.5L9 5.5h6L16.5 8H20v11H4zM12 16.5a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4Z" />,
};

function Icon({ name }: { name: keyof typeof ICONS }) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true">
      {ICONS[name]}
    </svg>
  );
}

/** The phone of a grid worker: what to do, the map, report in four taps, oneself. */
export default function Field() {
  const { t } = useWords();
  const me = useMe();
  const view = useView();
  const stream = useStream();
  const outbox = useOutbox(me.id ?? 0);
  const fix = usePosition();
  const camera = useRef<HTMLInputElement>(null);
  const [photo, setPhoto] = useState<Photo | null>(null);
  const tab: Tab = TABS.find((name) => name === view.filters.tab) ?? "tasks";
  const where = fix.state === "found" ? { lon: fix.lon.toFixed(5), lat: fix.lat.toFixed(5) } : {};
  const tasks = useResource<Task[]>("/tasks", where as Record<string, string>, 60);
  useEvents(["case."], () => tasks.reload());
  const chosen = selected(view);

  useEffect(() => {
    if (import.meta.env.PROD) registerSW({ immediate: true });
    return whenKept(() => {
      for (const path of NEEDED) prefetch(path);
    });
  }, []);
  useEffect(() => {
    if (!view.camera && me.home) {
      const zoom = Math.min(me.home.zoom, STREETS);
      changeView({ camera: { ...me.home, zoom, pitch: 0, bearing: 0 } }, "replace");
    }
  }, [view.camera, me.home]);

  const pictureTaken = async (file: File | undefined) => {
    if (file) setPhoto(await takePhoto(file));
  };

  const waiting = outbox.waiting.length;
  return (
    <div className="field" data-testid="field">
      {(waiting > 0 || stream.health === "broken") && (
        <p className={`field-signal${waiting > 0 ? " field-signal-kept" : ""}`} role="status" data-testid="outbox-note">
          {waiting > 0 ? t("field.waiting", { n: waiting }) : t("i18n.offline")}
          <small>{outbox.sending ? t("field.sending") : t("field.noSignal")}</small>
        </p>
      )}
      <main className="field-main">
        {tab === "tasks" && <Tasks reading={tasks} />}
        {tab === "map" && <FieldMap fix={fix} />}
        {tab === "me" && <Mine outbox={outbox} />}
      </main>
      <nav className="field-bar">
        {(["tasks", "map"] as const).map((name) => (
          <TabButton
            key={name}
            name={name}
            on={tab === name}
            count={name === "tasks" ? urgentOf(tasks.resource.data) : 0}
          />
        ))}
        <button type="button" className="field-report" data-testid="report" onClick={() => camera.current?.click()}>
          <Icon name="report" />
          <span>{t("field.report")}</span>
        </button>
        <TabButton name="me" on={tab === "me"} count={waiting} />
        <input
          ref={camera}
          className="sr-only"
          type="file"
          accept="image/*"
          capture="environment"
          tabIndex={-1}
          aria-label={t("field.photo")}
          data-testid="report-camera"
          onChange={(event) => {
            void pictureTaken(event.target.files?.[0]);
            event.target.value = "";
          }}
        />
      </nav>
      {chosen?.kind === "case" && <CaseSheet id={chosen.id} />}
      {photo && <Report first={photo} fix={fix} onClose={() => setPhoto(null)} />}
    </div>
  );
}

/** What a restart without a signal needs; read once the service worker is there to keep it. */
const NEEDED = ["/me", "/categories", "/layers", "/style/light"] as const;

/** Calls `work` once the service worker hears this page. */
function whenKept(work: () => void): () => void {
  const worker = navigator.serviceWorker;
  if (!worker) return () => undefined;
  if (worker.controller) work();
  else worker.addEventListener("controllerchange", work, { once: true });
  return () => worker.removeEventListener("controllerchange", work);
}

function urgentOf(tasks: Task[] | null): number {
  return (tasks ?? []).filter((task) => task.next_action !== null).length;
}

function TabButton({ name, on, count }: { name: Tab; on: boolean; count: number }) {
  const { t } = useWords();
  return (
    <button
      type="button"
      className="field-tab"
      aria-current={on ? "page" : undefined}
      data-testid={`tab-${name}`}
      onClick={() => changeFilters({ tab: name })}
    >
      <span className="field-tab-icon">
        <Icon name={name} />
        {count > 0 && <b className="field-badge">{count}</b>}
      </span>
      <span>{t(`field.${name}`)}</span>
    </button>
  );
}
