import { useGently } from "../alerts/useAlerts";
import { useEvents } from "../api/events";
import { type Reading, useResource } from "../api/resource";
import type { Figure, Severity } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { SeverityMark } from "../components/Severity";
import { Spark } from "../components/Spark";
import { useWords } from "../i18n";
import { changeFilters, useView } from "../state/location";

export function useFigures(): Reading<Figure[]> {
  const reading = useResource<Figure[]>("/kpis", {}, 30);
  useEvents(["alert.", "case.", "order.", "camera."], useGently(reading.reload, 1000));
  return reading;
}

function number(value: number | null): string {
  return value === null ? "—" : value.toLocaleString("en-US", { maximumFractionDigits: 1 });
}

function Card({ figure, chosen }: { figure: Figure; chosen: boolean }) {
  const { pick } = useWords();
  const name = pick(figure.name, figure.name_en);
  const parts = Object.entries(figure.parts ?? {});
  const graded = parts.every(([key]) => /^[1-4]$/.test(key));
  return (
    <button
      type="button"
      className="figure"
      aria-pressed={chosen}
      data-testid={`figure-${figure.id}`}
      onClick={() => changeFilters({ list: chosen ? null : figure.id })}
    >
      <span className="figure-name muted">{name}</span>
      <span className="figure-value num">
        {number(figure.value)}
        <small>
          {figure.unit}
          {figure.of !== null && figure.of !== undefined && figure.unit !== "%" && ` / ${number(figure.of)}`}
        </small>
      </span>
      <Spark values={figure.line} label={name} />
      {parts.length > 0 && graded && (
        <span className="figure-parts num">
          {([1, 2, 3, 4] as Severity[]).map((severity) => (
            <span key={severity}>
              <SeverityMark severity={severity} />
              {number(figure.parts?.[String(severity)] ?? 0)}
            </span>
          ))}
        </span>
      )}
    </button>
  );
}

/** Five figures that matter, each with its 24 h line; a click opens the list behind it. */
export function Figures({ reading }: { reading: Reading<Figure[]> }) {
  const { t } = useWords();
  const { list } = useView().filters;
  return (
    <section className="wall-figures panel" aria-label={t("wall.figures")} data-testid="figures">
      <Drawn
        reading={reading}
        skeleton={<Skeleton rows={5} height="6rem" />}
        isEmpty={(figures) => figures.length === 0}
        empty={<Empty title={t("wall.emptyList")} />}
      >
        {(figures) => figures.map((figure) => <Card key={figure.id} figure={figure} chosen={figure.id === list} />)}
      </Drawn>
    </section>
  );
}
