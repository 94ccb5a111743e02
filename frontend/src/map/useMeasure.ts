import type { Layer } from "@deck.gl/core";
import { PathLayer, PolygonLayer, ScatterplotLayer } from "@deck.gl/layers";
import { useEffect, useMemo, useState } from "react";
import { useWords } from "../i18n";
import { hexRgba, paintScale, token } from "../theme/tokens";
import { type Position, pathLength, ringArea, selfCrossing } from "./measure";
import { formatArea, formatLength } from "./units";

export type Figure = "length" | "area";

export interface Measuring {
  figure: Figure | null;
  begin: (figure: Figure | null) => void;
  /** Takes a click; false when nothing is being measured. */
  take: (lon: number, lat: number) => boolean;
  /** The result in words, or what to do next. */
  text: string;
  layers: Layer[];
  /** What has been drawn so far. */
  points: readonly Position[];
}

/** Distance and area by clicks: Backspace takes one back, Escape ends. */
export function useMeasure(): Measuring {
  const { t, tongue } = useWords();
  const [figure, setFigure] = useState<Figure | null>(null);
  const [points, setPoints] = useState<Position[]>([]);

  const begin = (next: Figure | null) => {
    setFigure(next);
    setPoints([]);
  };

  useEffect(() => {
    if (!figure) return;
    const key = (event: KeyboardEvent) => {
      if (event.key === "Escape") {
        setFigure(null);
        setPoints([]);
      } else if (event.key === "Backspace") setPoints((old) => old.slice(0, -1));
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", key);
    return () => window.removeEventListener("keydown", key);
  }, [figure]);

  const crossing = figure === "area" && points.length > 3 && selfCrossing(points);
  let text = t("map.measureHint");
  if (figure === "length" && points.length > 1) text = formatLength(pathLength(points), tongue);
  else if (crossing) text = t("map.crossing");
  else if (figure === "area" && points.length > 2) {
    const ring = [...points, points[0] as Position];
    text = `${formatArea(ringArea(points), tongue)} · ${formatLength(pathLength(ring), tongue)}`;
  } else if (points.length > 0) text = t("map.measureNext");

  const layers = useMemo<Layer[]>(() => {
    if (!figure || points.length === 0) return [];
    const scale = paintScale();
    const colour = hexRgba(token(crossing ? "sev-high" : "accent-mark"));
    const parameters = { depthCompare: "always" as const };
    const path = figure === "area" && points.length > 2 ? [...points, points[0] as Position] : points;
    return [
      ...(figure === "area" && points.length > 2
        ? [
            new PolygonLayer({
              id: "measure-area",
              data: [points],
              getPolygon: (p: Position[]) => p,
              getFillColor: [colour[0], colour[1], colour[2], 40],
              stroked: false,
              parameters,
            }),
          ]
        : []),
      new PathLayer({
        id: "measure-path",
        data: [path],
        getPath: (p: Position[]) => p,
        getColor: colour,
        getWidth: 2 * scale,
        widthUnits: "pixels",
        parameters,
      }),
      new ScatterplotLayer({
        id: "measure-points",
        data: points,
        getPosition: (p: Position) => p,
        getRadius: 4 * scale,
        radiusUnits: "pixels",
        getFillColor: colour,
        parameters,
      }),
    ];
  }, [figure, points, crossing]);

  return {
    figure,
    begin,
    text,
    layers,
    points,
    take: (lon, lat) => {
      if (!figure) return false;
      setPoints((old) => [...old, [lon, lat]]);
      return true;
    },
  };
}
