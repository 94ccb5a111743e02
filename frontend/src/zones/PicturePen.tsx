import { type PointerEvent, useEffect, useRef, useState } from "react";
import type { ZoneInPicture } from "../api/types";
import { useWords } from "../i18n";
import { type Position as Pair, selfCrossing } from "../map/measure";
import { type Purpose, pathOf, penKey, whole } from "./shapes";

/** Within so many screen pixels a press takes a corner. */
const GRIP = 12;

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}

/** Keys pressed in a control are the control's own. */
function isControl(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("button, select, textarea, input") !== null;
}

/** A camera's picture with the zones as it sees them; with the pen corners are set by clicks and dragged. All in fractions of the frame. */
export function PicturePen({
  sha,
  zones,
  names,
  chosen,
  pen,
  purpose,
  corners,
  onCorners,
  onDone,
  onChoose,
}: {
  sha: string;
  zones: readonly ZoneInPicture[];
  names: ReadonlyMap<number, string>;
  chosen: number | null;
  pen: "none" | "draw" | "edit";
  purpose: Purpose;
  corners: readonly Pair[];
  onCorners: (corners: Pair[]) => void;
  onDone: () => void;
  onChoose: (id: number) => void;
}) {
  const { t } = useWords();
  const [size, setSize] = useState<{ w: number; h: number } | null>(null);
  const [failed, setFailed] = useState(false);
  const [held, setHeld] = useState<number | null>(null);
  const [hover, setHover] = useState<Pair | null>(null);
  const svg = useRef<SVGSVGElement>(null);

  useEffect(() => {
    if (pen !== "draw") return;
    const key = (event: KeyboardEvent) => {
      const change = penKey(event.key, isControl(event.target), corners, purpose);
      if (change === null) return;
      if (change === "done") onDone();
      else onCorners(change);
      event.preventDefault();
    };
    window.addEventListener("keydown", key);
    return () => window.removeEventListener("keydown", key);
  }, [pen, corners, purpose, onCorners, onDone]);

  const at = (event: PointerEvent): Pair => {
    const box = svg.current?.getBoundingClientRect();
    if (!box) return [0, 0];
    return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
  };
  const near = (event: PointerEvent): number => {
    const box = svg.current?.getBoundingClientRect();
    if (!box) return -1;
    const [x, y] = at(event);
    return corners.findIndex(([u, v]) => Math.hypot((u - x) * box.width, (v - y) * box.height) < GRIP);
  };
  const press = (event: PointerEvent) => {
    if (pen === "none") return;
    const grip = near(event);
    if (pen === "draw" && grip === 0 && purpose !== "count" && corners.length > 2) return onDone();
    if (grip >= 0) {
      setHeld(grip);
      event.currentTarget.setPointerCapture(event.pointerId);
    } else if (pen === "draw") onCorners([...corners, at(event)]);
  };
  const move = (event: PointerEvent) => {
    if (pen === "draw") setHover(at(event));
    if (held !== null) onCorners(corners.map((each, i) => (i === held ? at(event) : each)));
  };

  if (failed) return <div className="zone-picture zone-picture-none">{t("components.noPicture")}</div>;
  const drawn = hover && pen === "draw" && held === null ? [...corners, hover] : corners;
  const crossing = purpose !== "count" && corners.length > 3 && selfCrossing(corners);
  const closed = purpose !== "count" && (pen === "edit" || corners.length > 2);
  const line = (w: number, h: number) =>
    drawn.map(([x, y], i) => `${i === 0 ? "M" : "L"}${x * w} ${y * h}`).join("") + (closed ? "Z" : "");
  return (
    <figure
      className="zone-picture"
      style={size ? { aspectRatio: `${size.w} / ${size.h}` } : undefined}
      data-testid="zone-picture"
      data-ready={size !== null}
    >
      <img
        src={`/api/evidence/${sha}`}
        alt={t("zones.camera")}
        draggable={false}
        onLoad={(e) => setSize({ w: e.currentTarget.naturalWidth, h: e.currentTarget.naturalHeight })}
        onError={() => setFailed(true)}
      />
      {size && (
        <svg
          ref={svg}
          viewBox={`0 0 ${size.w} ${size.h}`}
          preserveAspectRatio="none"
          aria-hidden="true"
          data-pen={pen}
          onPointerDown={press}
          onPointerMove={move}
          onPointerUp={() => setHeld(null)}
          onPointerLeave={() => setHover(null)}
          onDoubleClick={() => pen === "draw" && purpose === "count" && whole(corners, purpose) && onDone()}
        >
          {zones.map((zone) => {
            const path = pathOf(zone.outline, size.w, size.h);
            return (
              <g key={zone.zone_id} data-chosen={zone.zone_id === chosen} className="zone-outline">
                {zone.border_sigma > 0 && (
                  <path
                    className="zone-doubt"
                    d={path}
                    style={{ strokeWidth: 2 * 1.645 * zone.border_sigma * size.w }}
                  />
                )}
                <path
                  d={path}
                  data-testid={`zone-outline-${zone.zone_id}`}
                  vectorEffect="non-scaling-stroke"
                  onPointerDown={() => pen === "none" && onChoose(zone.zone_id)}
                >
                  <title>{names.get(zone.zone_id)}</title>
                </path>
              </g>
            );
          })}
          {pen !== "none" && (
            <g className="zone-pen" data-crossing={crossing}>
              <path d={line(size.w, size.h)} vectorEffect="non-scaling-stroke" />
              {corners.map(([x, y], i) => (
                <circle key={i} cx={x * size.w} cy={y * size.h} r={size.w * 0.006} vectorEffect="non-scaling-stroke" />
              ))}
            </g>
          )}
        </svg>
      )}
    </figure>
  );
}
