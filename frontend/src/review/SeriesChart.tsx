import { useState } from "react";
import { useResource } from "../api/resource";
import type { Series } from "../api/types";
import { Drawn, Skeleton } from "../components/Panel";
import { useWords } from "../i18n";
import { dayOnly } from "../i18n/time";
import { formatCoordinate } from "../map/coordinates";

const INDICES = ["ndvi", "nbr", "ndwi", "ndbi"] as const;
const W = 380;
const H = 120;
const LEFT = 30;
const BOTTOM = 18;
/** Figures of the axis nearer to each other than this would run into one another. */
const LINE = 12;

/** The value of an index in every picture of a place. Clouded ones are hollow; the two vintages of the change are marked. */
export function SeriesChart({
  at,
  before,
  after,
}: {
  at: { lon: number; lat: number };
  before: string;
  after: string;
}) {
  const { t } = useWords();
  const [index, setIndex] = useState<(typeof INDICES)[number]>("ndvi");
  const query = { lon: at.lon.toFixed(6), lat: at.lat.toFixed(6), index };
  const reading = useResource<Series>("/series", query);
  return (
    <div className="series" data-testid="series">
      <div className="series-head">
        <select
          className="field-input"
          aria-label={t("review.series.index")}
          value={index}
          onChange={(event) => setIndex(event.target.value as (typeof INDICES)[number])}
        >
          {INDICES.map((each) => (
            <option key={each} value={each}>
              {t(`review.series.${each}`)}
            </option>
          ))}
        </select>
        <span className="muted num">{formatCoordinate(at, "degrees")}</span>
      </div>
      <Drawn
        reading={reading}
        skeleton={<Skeleton rows={1} height="7.5rem" />}
        isEmpty={(series) => series.points.length === 0}
        empty={<p className="muted">{t("review.series.none")}</p>}
      >
        {(series) => <Chart series={series} marks={[before, after]} />}
      </Drawn>
      <p className="muted small">{t("review.series.hint")}</p>
    </div>
  );
}

function Chart({ series, marks }: { series: Series; marks: readonly string[] }) {
  const { t } = useWords();
  const times = [...series.points.map((p) => Date.parse(p.taken_at)), ...marks.map((m) => Date.parse(m))];
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const x = (time: number) => LEFT + 6 + ((time - first) / Math.max(1, last - first)) * (W - LEFT - 14);
  const values = series.points.flatMap((p) => (p.value === null ? [] : [p.value]));
  const low = Math.min(0, ...values);
  const high = Math.max(0.5, ...values);
  const y = (value: number) => 6 + (1 - (value - low) / (high - low)) * (H - BOTTOM - 10);
  const clear = series.points.filter((p) => p.value !== null && p.cloud !== true);
  const path = clear.map((p, i) => `${i === 0 ? "M" : "L"}${x(Date.parse(p.taken_at))} ${y(p.value ?? 0)}`).join("");
  return (
    <svg viewBox={`0 0 ${W} ${H}`} className="series-chart" role="img" aria-label={t("review.series.title")}>
      {[low, 0, high]
        .filter((value, i) => i === 1 || Math.abs(y(value) - y(0)) > LINE)
        .map((value) => (
          <g key={value}>
            <line x1={LEFT} x2={W} y1={y(value)} y2={y(value)} className="series-grid" />
            <text x={LEFT - 4} y={y(value) + 3.5} textAnchor="end" className="num">
              {value.toFixed(1)}
            </text>
          </g>
        ))}
      {marks.map((mark) => (
        <line
          key={mark}
          x1={x(Date.parse(mark))}
          x2={x(Date.parse(mark))}
          y1={4}
          y2={H - BOTTOM}
          className="series-mark"
        />
      ))}
      <path d={path} className="series-line" />
      {series.points.map((p) =>
        p.value === null ? null : (
          <circle
            key={p.scene}
            cx={x(Date.parse(p.taken_at))}
            cy={y(p.value)}
            r={3.5}
            className={p.cloud === true ? "series-cloud" : "series-point"}
          >
            <title>{`${dayOnly(p.taken_at)}  ${p.value.toFixed(3)}${p.cloud === true ? ` · ${t("review.series.cloud")}` : ""}`}</title>
          </circle>
        ),
      )}
      <text x={LEFT} y={H - 4} className="num">
        {dayOnly(first)}
      </text>
      <text x={W} y={H - 4} textAnchor="end" className="num">
        {dayOnly(last)}
      </text>
    </svg>
  );
}
