import { useStream } from "../api/events";
import { SimulatedTag } from "../components/Severity";
import { speak, useWords } from "../i18n";
import { clockTime, dayOnly, weekday } from "../i18n/time";
import { formatAge } from "../map/units";
import { changeFilters, useView } from "../state/location";
import { useNow } from "../state/now";
import { signOut, useMe } from "../state/session";

export const MODES = ["normal", "wartime", "drill"] as const;
export type Mode = (typeof MODES)[number];

export function useMode(): Mode {
  const { mode } = useView().filters;
  return MODES.find((m) => m === mode) ?? "normal";
}

/** Health of the live stream in a dot and words; a broken stream is the loudest thing in the header. */
export function StreamHealth() {
  const { t, tongue } = useWords();
  const stream = useStream();
  const now = useNow();
  const age = stream.brokenAt === null ? "" : formatAge((now - stream.brokenAt) / 1000, tongue);
  return (
    <span
      className={`stream stream-${stream.health}`}
      role="status"
      data-testid="stream-health"
      data-health={stream.health}
    >
      <i /> {t(`wall.stream.${stream.health}`, { age })}
    </span>
  );
}

function Clock() {
  const { tongue } = useWords();
  const now = useNow();
  return (
    <time className="wall-clock num" data-testid="clock">
      <span>{clockTime(now, true)}</span>
      <small className="muted">
        {dayOnly(now)} {weekday(now, tongue)}
      </small>
    </time>
  );
}

/** City, mode, clock, data age, stream health. `freshAt` is when the newest figures were computed. */
export function Header({ freshAt }: { freshAt: string | null }) {
  const { t, tongue } = useWords();
  const me = useMe();
  const now = useNow();
  const mode = useMode();
  return (
    <header className="wall-header">
      <div className="wall-city">
        <img src="/favicon.svg" alt="" />
        <h1>{me.region_name ?? t("i18n.product")}</h1>
        <span className="muted">{t("i18n.subtitle")}</span>
        {me.simulated && <SimulatedTag />}
      </div>
      <div className="wall-mode" role="radiogroup" aria-label={t("wall.modeOf")}>
        {MODES.map((each) => (
          <button
            key={each}
            type="button"
            role="radio"
            aria-checked={mode === each}
            className={`mode-${each}`}
            data-testid={`mode-${each}`}
            onClick={() => changeFilters({ mode: each === "normal" ? null : each })}
          >
            {t(`wall.mode.${each}`)}
          </button>
        ))}
      </div>
      <div className="wall-standing">
        <StreamHealth />
        <span className="muted num" data-testid="data-age">
          {freshAt === null
            ? t("wall.noData")
            : t("wall.dataAge", { age: formatAge((now - Date.parse(freshAt)) / 1000, tongue) })}
        </span>
        <Clock />
        <button type="button" className="btn btn-quiet" onClick={() => speak(tongue === "zh" ? "en" : "zh")}>
          {tongue === "zh" ? "EN" : "中"}
        </button>
        <button type="button" className="btn btn-quiet" onClick={() => void signOut()} title={me.name ?? ""}>
          {t("i18n.signOut")}
        </button>
      </div>
    </header>
  );
}
