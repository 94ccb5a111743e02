import { useMemo } from "react";
import { useResource } from "../api/resource";
import type { Scene, Show } from "../api/types";
import { useWords } from "../i18n";
import { changeFilters, useView } from "../state/location";
import { useKeys } from "./useKeys";

const PLAIN = "true_colour";

/** What both scenes can be shown as, and which of it the URL asks for (null: as they are). */
export function useShow(beforeScene: string, afterScene: string): { all: Show[]; show: Show | null } {
  const { filters } = useView();
  const shows = useResource<Show[]>("/shows").resource.data;
  const before = useResource<Scene>(`/scenes/${encodeURIComponent(beforeScene)}`).resource.data;
  const after = useResource<Scene>(`/scenes/${encodeURIComponent(afterScene)}`).resource.data;
  const all = useMemo(() => {
    const [one, other] = [before, after].map((scene) => new Set((scene?.properties["hdq:shows"] as string[]) ?? []));
    return (shows ?? []).filter(({ id }) => id !== PLAIN && one?.has(id) && other?.has(id));
  }, [shows, before, after]);
  return { all, show: all.find(({ id }) => id === filters.show) ?? null };
}

/** Addresses of a scene's tiles. */
export function sceneTiles(scene: string, show: Show | null): string[] {
  const asked = show ? `?show=${show.id}` : "";
  return [`${window.location.origin}/rasters/${encodeURIComponent(scene)}/{z}/{x}/{y}.webp${asked}`];
}

/** Addresses of the tiles of a scene's mask of clouds and shadows; empty pictures where it has none. */
export function maskTiles(scene: string): string[] {
  return [`${window.location.origin}/rasters/${encodeURIComponent(scene)}/{z}/{x}/{y}.webp?show=mask`];
}

/** The chooser of an index or composite, in both pictures at once. V steps through them. */
export function ShowChooser({ all, show }: { all: readonly Show[]; show: Show | null }) {
  const { t, pick } = useWords();
  const choose = (id: string | null) => changeFilters({ show: id }, "replace");
  useKeys({ v: () => choose(all[show ? all.indexOf(show) + 1 : 0]?.id ?? null) });
  if (all.length === 0) return null;
  return (
    <select
      aria-label={t("review.show.title")}
      title={t("review.show.title")}
      value={show?.id ?? ""}
      data-testid="show"
      onChange={(event) => choose(event.target.value || null)}
    >
      <option value="">{t("review.show.plain")}</option>
      {all.map((each) => (
        <option key={each.id} value={each.id}>
          {pick(each.title, each.title_en)}
        </option>
      ))}
    </select>
  );
}

/** What the colours of a mask of clouds and shadows say; they are those of LEGEND in imagery/scenes/veils.py. */
export const MASK_COLOURS = { both: "#F2F6FA", maker: "#F0B24A", ours: "#B48CF2", shadow: "#2F5FB3" } as const;

export function MaskLegend() {
  const { t } = useWords();
  return (
    <ul className="mask-legend" data-testid="mask-legend">
      {Object.entries(MASK_COLOURS).map(([name, colour]) => (
        <li key={name}>
          <i style={{ background: colour }} />
          {t(`review.show.masks.${name}`)}
        </li>
      ))}
    </ul>
  );
}

/** The scale of an index: its colours from the least to the greatest value. */
export function ShowLegend({ show }: { show: Show }) {
  const { legend } = show;
  const [first, last] = [legend[0], legend.at(-1)];
  if (!first || !last) return null;
  const span = last.value - first.value;
  const stops = legend.map((step) => `${step.colour} ${(((step.value - first.value) / span) * 100).toFixed(1)}%`);
  return (
    <div className="show-legend num" data-testid="show-legend">
      <span>{first.value}</span>
      <i style={{ background: `linear-gradient(to right, ${stops.join(", ")})` }} />
      <span>{last.value}</span>
    </div>
  );
}
