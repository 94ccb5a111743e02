import type { Map as BaseMap } from "maplibre-gl";
import { type Corners, css, DEAR_MS, mayDraw, middle, type Point, perspective, restOf, uncovered } from "./pace";

/** The part of MapLibre that draws one frame of base map and deck.gl layers into the one canvas. */
interface Painter {
  render: (...args: unknown[]) => void;
  context: { gl: WebGL2RenderingContext };
}

interface Picture {
  corners: [number, number][];
  zoom: number;
}

const FIGURES = 5;

function cornersOf(width: number, height: number): Corners {
  return [
    [0, 0],
    [width, 0],
    [width, height],
    [0, height],
  ];
}

/**
 * Keeps a map fluid where drawing is dear (WebGL by the processor, a weak GPU). While the camera moves, the canvas with its last picture is moved by a
 * CSS transform, which costs the compositor next to nothing; it is drawn anew when the hand rests, or when too much of the screen stands bare.
 * Whether it is dear is measured at each drawing, so that a machine that can draw in time draws every frame. Returns what undoes it.
 */
export function holdPicture(map: BaseMap): () => void {
  const painter = (map as unknown as { painter: Painter }).painter;
  const { gl } = painter.context;
  const canvas = map.getCanvas();
  const draw = painter.render.bind(painter);
  const costs: number[] = [];
  let picture: Picture | null = null;
  let fence: { sync: WebGLSync; begun: number; asked: number } | null = null;
  let finished = 0;
  let moved = 0;
  let timer = 0;
  let pointer = 0;
  let passed: Event | null = null;

  const stamp = () => {
    moved = performance.now();
  };
  const forget = () => {
    picture = null;
  };
  const watch = () => {
    if (!fence) return;
    fence.asked = requestAnimationFrame(watch);
    if (gl.getSyncParameter(fence.sync, gl.SYNC_STATUS) !== gl.SIGNALED && !gl.isContextLost()) return;
    cancelAnimationFrame(fence.asked);
    gl.deleteSync(fence.sync);
    finished = performance.now();
    costs.push(finished - fence.begun);
    if (costs.length > FIGURES) costs.shift();
    fence = null;
  };

  /** What lies under the pointer is picked by drawing all layers once more: where that is dear, only under a pointer that rests. */
  const whenPointed = (event: PointerEvent) => {
    const cost = middle(costs);
    if (event === passed || event.buttons !== 0 || cost < DEAR_MS || !(event.target instanceof Element)) return;
    event.stopPropagation();
    window.clearTimeout(pointer);
    const { target } = event;
    pointer = window.setTimeout(() => {
      if (map.isMoving()) return;
      passed = new PointerEvent(event.type, event);
      target.dispatchEvent(passed);
    }, restOf(cost));
  };
  const whenPressed = () => window.clearTimeout(pointer);

  canvas.style.transformOrigin = "0 0";
  painter.render = (...args) => {
    const now = performance.now();
    const { clientWidth: width, clientHeight: height } = canvas;
    const frame = cornersOf(width, height);
    const stand = picture?.corners.map((at) => map.project(at)).map(({ x, y }): Point => [x, y]) as Corners | undefined;
    const there = stand ? perspective(frame, stand) : null;
    const back = stand ? perspective(stand, frame) : null;
    if (picture && there && back) {
      const verdict = mayDraw({
        cost: middle(costs),
        busy: fence !== null,
        moving: map.isMoving(),
        still: now - moved,
        since: now - finished,
        bare: uncovered(back, width, height),
        levels: map.getZoom() - picture.zoom,
      });
      if (verdict !== true) {
        canvas.style.transform = css(there);
        window.clearTimeout(timer);
        timer = window.setTimeout(() => map.triggerRepaint(), verdict);
        return;
      }
    }
    window.clearTimeout(timer);
    canvas.style.transform = "";
    picture = { corners: frame.map(([x, y]) => map.unproject([x, y]).toArray()), zoom: map.getZoom() };
    draw(...args);
    const sync = fence ? null : gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    if (sync) {
      gl.flush();
      fence = { sync, begun: now, asked: requestAnimationFrame(watch) };
    }
  };
  map.on("move", stamp);
  map.on("resize", forget);
  const box = map.getContainer();
  box.addEventListener("pointermove", whenPointed, { capture: true });
  box.addEventListener("pointerdown", whenPressed, { capture: true });
  return () => {
    window.clearTimeout(timer);
    window.clearTimeout(pointer);
    box.removeEventListener("pointermove", whenPointed, { capture: true });
    box.removeEventListener("pointerdown", whenPressed, { capture: true });
    if (fence) cancelAnimationFrame(fence.asked);
    map.off("move", stamp);
    map.off("resize", forget);
    painter.render = draw;
    canvas.style.transform = "";
  };
}
