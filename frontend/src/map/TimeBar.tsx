import { useEffect, useRef, useState } from "react";
import { useEvents } from "../api/events";
import { useResource } from "../api/resource";
import type { TimeBar as Counts } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { useWords } from "../i18n";
import { clockTime, dayTime } from "../i18n/time";
import { changeView, useView } from "../state/location";
import "./timebar.css";

const SPEEDS = [60, 300, 900] as const;
const FRAME_MS = 250;

/** Counts per ten minutes of the last 24 h. A click shows the city as known then, a drag picks a window, 实时 returns to now. */
export function TimeBar() {
  const { t } = useWords();
  const reading = useResource<Counts>("/timeline", { hours: "24" }, 60);
  useEvents(["alert.opened", "case.opened"], () => reading.reload());
  return (
    <div className="time-bar" data-testid="time-bar">
      <Drawn
        reading={reading}
        skeleton={<Skeleton rows={1} height="3rem" />}
        isEmpty={(data) => data.alerts.length === 0}
        empty={<Empty title={t("map.timeBar")} />}
      >
        {(data) => <Bars data={data} />}
      </Drawn>
    </div>
  );
}

function Bars({ data }: { data: Counts }) {
  const { t } = useWords();
  const { time } = useView();
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState<(typeof SPEEDS)[number]>(300);
  const [hover, setHover] = useState<number | null>(null);
  const track = useRef<HTMLDivElement>(null);
  const drag = useRef<number | null>(null);
  const n = data.alerts.length;
  const step = data.step_s * 1000;
  const start = Date.parse(data.start);
  const end = start + n * step;
  const most = Math.max(1, ...data.alerts.map((a, i) => a + (data.cases[i] ?? 0)));
  const mostSeen = Math.max(1, ...data.observations);

  useEffect(() => {
    if (!playing) return;
    const timer = window.setInterval(() => {
      const now = time.live ? { from: start, to: start } : { from: time.from, to: time.to };
      const to = now.to + speed * FRAME_MS;
      if (to >= end) {
        setPlaying(false);
        changeView({ time: { live: true, hours: 24 } }, "replace");
      } else changeView({ time: { live: false, from: now.from, to } }, "replace");
    }, FRAME_MS);
    return () => window.clearInterval(timer);
  }, [playing, speed, time, start, end]);

  const timeAt = (clientX: number): number => {
    const box = track.current?.getBoundingClientRect();
    if (!box) return end;
    return start + Math.min(1, Math.max(0, (clientX - box.left) / box.width)) * (end - start);
  };
  const share = (at: number) => `${Math.min(100, Math.max(0, ((at - start) / (end - start)) * 100))}%`;
  const hours = Array.from({ length: 9 }, (_, i) => start + (i * (end - start)) / 8);

  return (
    <>
      <div className="time-buttons">
        <button
          type="button"
          className="btn"
          aria-pressed={time.live}
          data-testid="time-live"
          title={t("map.backToLive")}
          onClick={() => {
            setPlaying(false);
            changeView({ time: { live: true, hours: 24 } });
          }}
        >
          <i className="live-dot" /> {t("map.live")}
        </button>
        <button
          type="button"
          className="btn"
          aria-label={t(playing ? "map.pause" : "map.play")}
          data-testid="time-play"
          onClick={() => setPlaying(!playing)}
        >
          {playing ? "❚❚" : "▶"}
        </button>
        <button
          type="button"
          className="btn num"
          title={t("map.speed")}
          onClick={() => setSpeed(SPEEDS[(SPEEDS.indexOf(speed) + 1) % SPEEDS.length] ?? 300)}
        >
          ×{speed}
        </button>
      </div>
      <div className="time-main">
        <div
          className="time-track"
          ref={track}
          data-testid="time-track"
          onPointerDown={(event) => {
            drag.current = timeAt(event.clientX);
            event.currentTarget.setPointerCapture(event.pointerId);
          }}
          onPointerMove={(event) => setHover(Math.min(n - 1, Math.floor((timeAt(event.clientX) - start) / step)))}
          onPointerLeave={() => setHover(null)}
          onPointerUp={(event) => {
            const from = drag.current;
            drag.current = null;
            if (from === null) return;
            const to = timeAt(event.clientX);
            setPlaying(false);
            if (Math.abs(to - from) < step)
              changeView({ time: { live: false, from: start, to: Math.max(start + step, to) } });
            else changeView({ time: { live: false, from: Math.min(from, to), to: Math.max(from, to) } });
          }}
        >
          <svg viewBox={`0 0 ${n} 100`} preserveAspectRatio="none" aria-hidden="true">
            {data.observations.map((count, i) =>
              count > 0 ? (
                <rect
                  key={`o${i}`}
                  className="bar-seen"
                  x={i + 0.1}
                  width={0.8}
                  y={100 - (count / mostSeen) * 45}
                  height={(count / mostSeen) * 45}
                />
              ) : null,
            )}
            {data.alerts.map((count, i) =>
              count > 0 ? (
                <rect
                  key={`a${i}`}
                  className="bar-alert"
                  x={i + 0.1}
                  width={0.8}
                  y={96 - (count / most) * 90}
                  height={4 + (count / most) * 90}
                />
              ) : null,
            )}
          </svg>
          {!time.live && (
            <i className="time-window" style={{ left: share(time.from), right: `calc(100% - ${share(time.to)})` }} />
          )}
          {hover !== null && hover >= 0 && (
            <output className="time-hover" style={{ left: share(start + hover * step) }}>
              {t("map.counts", {
                from: dayTime(start + hover * step),
                to: clockTime(start + (hover + 1) * step),
                alerts: data.alerts[hover] ?? 0,
                observations: data.observations[hover] ?? 0,
                cases: data.cases[hover] ?? 0,
              })}
            </output>
          )}
        </div>
        <div className="time-ticks num">
          {hours.map((at) => (
            <span key={at}>{clockTime(at)}</span>
          ))}
        </div>
      </div>
      <div className="time-key">
        <span>
          <i className="key-alert" /> {t("map.alerts")}
        </span>
        <span>
          <i className="key-seen" /> {t("map.observations")}
        </span>
      </div>
    </>
  );
}
