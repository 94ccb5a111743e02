import { useGently } from "../alerts/useAlerts";
import { useEvents } from "../api/events";
import { type Query, useResource } from "../api/resource";
import type { Figure } from "../api/types";
import { Drawn, Empty, Panel } from "../components/Panel";
import { useWords } from "../i18n";
import { flyTo } from "../map/instance";
import { changeFilters, changeView } from "../state/location";

type Item = Record<string, unknown>;

function items(data: unknown): Item[] {
  if (Array.isArray(data)) return data as Item[];
  const inside = data && typeof data === "object" ? (data as { items?: unknown }).items : undefined;
  return Array.isArray(inside) ? (inside as Item[]) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

function position(item: Item): { lon: number; lat: number } | null {
  const at = (item.place ?? item) as Item;
  return typeof at.lon === "number" && typeof at.lat === "number" ? { lon: at.lon, lat: at.lat } : null;
}

/** As many rows as the server gives at once. */
const MOST = "500";

/** Path and query of a figure's own list, every repeated parameter kept; pages of alerts and cases are asked for whole. */
export function listOf(figure: Pick<Figure, "list_url">): { path: string; query: Query } {
  const [path = "", search = ""] = figure.list_url.replace(/^\/api/, "").split("?");
  const given = new URLSearchParams(search);
  const query: Record<string, readonly string[]> = {};
  for (const key of new Set(given.keys())) query[key] = given.getAll(key);
  if (/^\/(alerts|cases|cameras)$/.test(path) && !given.has("limit")) query.limit = [MOST];
  return { path, query };
}

/** Rows of whatever list stands behind a figure: alerts, cases, units or cameras. */
export function ListBehind({ figure }: { figure: Figure }) {
  const { t, pick } = useWords();
  const { path, query } = listOf(figure);
  const reading = useResource<unknown>(path, query, 30);
  const again = useGently(reading.reload);
  useEvents(["alert.", "case.", "order.", "camera."], again);
  const noun = path.split("/")[1] ?? "";
  const stateOf = (item: Item): string => {
    if (noun === "alerts") return t(`i18n.state.${text(item.state)}`);
    if (noun === "units") return t(`i18n.unitState.${text(item.state)}`);
    return pick(text(item.state_name) || text(item.state), text(item.state_name_en));
  };
  return (
    <Panel
      className="wall-list"
      testId="list-behind"
      title={t("wall.listOf", { name: pick(figure.name, figure.name_en) })}
      aside={
        <button
          type="button"
          className="btn btn-quiet"
          aria-label={t("i18n.close")}
          onClick={() => changeFilters({ list: null })}
        >
          ✕
        </button>
      }
    >
      <Drawn
        reading={reading}
        isEmpty={(data) => items(data).length === 0}
        empty={<Empty title={t("wall.emptyList")} />}
      >
        {(data) => (
          <ul className="wall-rows">
            {items(data).map((item, i) => {
              const at = position(item);
              return (
                <li key={text(item.id) || i}>
                  <button
                    type="button"
                    onClick={() => {
                      if (at) flyTo(at);
                      if (noun === "alerts") changeView({ selection: `alert:${text(item.id)}` });
                    }}
                  >
                    <strong className="clip">{pick(text(item.title) || text(item.name), text(item.title_en))}</strong>
                    <span className="muted">{stateOf(item)}</span>
                    <small className="muted clip">
                      {text((item.place as Item | undefined)?.name) || text(item.code) || text(item.number)}
                    </small>
                  </button>
                </li>
              );
            })}
          </ul>
        )}
      </Drawn>
    </Panel>
  );
}
