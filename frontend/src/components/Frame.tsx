import { useState } from "react";
import type { Observation } from "../api/types";
import { useWords } from "../i18n";
import "./frame.css";

/** A box as fractions of the frame. */
interface Box {
  evidence?: string;
  box: [number, number, number, number];
  name: string;
  score: number;
}

function boxesOf(observation: Observation, sha: string): Box[] {
  const found: Box[] = [];
  for (const raw of observation.boxes) {
    const box = raw.box;
    if (!Array.isArray(box) || box.length !== 4 || !box.every((v) => typeof v === "number")) continue;
    if (raw.evidence !== undefined && raw.evidence !== sha) continue;
    const score = typeof raw.score === "number" ? raw.score : observation.score;
    const name = typeof raw.class === "string" ? raw.class : observation.class_name;
    found.push({ box: box as Box["box"], name, score });
  }
  return found;
}

/** A stored frame or photo with the boxes that the detector found, drawn here over the picture as SVG. */
export function Frame({ sha, observation, plain = false }: { sha: string; observation: Observation; plain?: boolean }) {
  const { t, kind } = useWords();
  const [size, setSize] = useState<{ w: number; h: number } | null>(null);
  const [failed, setFailed] = useState(false);
  const boxes = boxesOf(observation, sha);
  if (failed) return <div className="frame frame-missing">{t("components.noPicture")}</div>;
  return (
    <figure className="frame" style={size ? { aspectRatio: `${size.w} / ${size.h}` } : undefined} data-testid="frame">
      <img
        src={`/api/evidence/${sha}`}
        alt={`${observation.kind} ${observation.source}`}
        onLoad={(e) => setSize({ w: e.currentTarget.naturalWidth, h: e.currentTarget.naturalHeight })}
        onError={() => setFailed(true)}
      />
      {size && (
        <svg viewBox={`0 0 ${size.w} ${size.h}`} aria-hidden="true" data-testid="boxes">
          {boxes.map(({ box: [x0, y0, x1, y1], name, score }, i) => (
            <g key={i}>
              <rect
                x={x0 * size.w}
                y={y0 * size.h}
                width={(x1 - x0) * size.w}
                height={(y1 - y0) * size.h}
                vectorEffect="non-scaling-stroke"
              />
              {!plain && (
                <text
                  x={Math.min(x0 * size.w, size.w * 0.72)}
                  y={y0 * size.h > size.h * 0.08 ? y0 * size.h - size.h * 0.015 : y1 * size.h + size.h * 0.05}
                  fontSize={size.h * 0.042}
                >
                  {kind(name)} {score.toFixed(2)}
                </text>
              )}
            </g>
          ))}
        </svg>
      )}
    </figure>
  );
}
