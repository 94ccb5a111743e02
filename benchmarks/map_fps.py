"""Frames a second of the desk's map with many layers on, in headless Chromium whose WebGL is drawn by the processor.

    python -m benchmarks.map_fps [--url http://127.0.0.1:8470] [--layers 30] [--seconds 6]

Runs against the installation that `hdq up` started, or another named by --url. The map stands over the centre of Shinan at 1280×800. A
catalogue layer counts as one of the `--layers` when its tile there holds features; groups take turns, so that fills, lines and points are mixed.
The map is dragged and wheeled by real mouse events. A frame counts when Chromium presented it and the picture in it had moved: the camera of the last
drawn picture, or the place where that picture stands, differs from the frame before. Screenshots taken on the way must differ as well.
The limit beside it is an empty page that redraws one canvas of the same size.
"""

import argparse
import itertools
import json
import math
import os
import time
from collections import defaultdict

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.screen import CHROMIUM, FLAGS, sign_in
from gis_api import address
from grid.settings import Settings

CENTRE = (120.3833, 36.0672)
"""May Fourth Square, the middle of 市南区: longitude, latitude."""
ZOOM = 14.0
WIDTH, HEIGHT = 1280, 800
PATIENCE_S = 180
PEOPLE = "shuju"
EMPTY = f"""<body style="margin:0"><canvas id=c width={WIDTH} height={HEIGHT}></canvas><script>
const gl = document.getElementById('c').getContext('webgl2'); let n = 0;
const draw = () => {{ n += 1; gl.clearColor((n % 60) / 60, 0.4, 0.6, 1); gl.clear(gl.COLOR_BUFFER_BIT); window.drawn = n; requestAnimationFrame(draw); }};
requestAnimationFrame(draw);</script>"""
WATCH = """
() => {
  const map = window.__hdq.map, canvas = map.getCanvas();
  const probe = { on: true, frames: [], moved: 0, draws: 0 };
  let camera = '', before = '';
  map.on('move', () => { const c = map.getCenter(); camera = `${c.lng.toFixed(7)},${c.lat.toFixed(7)},${map.getZoom().toFixed(4)}`; });
  const real = map.painter.context.clear;
  map.painter.context.clear = function (...args) { probe.draws += 1; return real.apply(this, args); };
  const tick = (at) => {
    const picture = canvas.style.transform || camera;
    if (picture !== before) { probe.moved += 1; probe.frames.push(at); }
    before = picture;
    if (probe.on) requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
  window.__probe = probe;
}
"""
LOADED = "() => window.__hdq.map?.areTilesLoaded() && window.__hdq.layers().length >= %d && window.__hdq.layers().every((l) => l.isLoaded)"
OPEN_PANEL = """
async () => {
  const begin = performance.now();
  document.querySelector('[data-testid="open-layers"]').click();
  while (!document.querySelector('[data-testid="layer-tree"] .layer-group')) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame); await new Promise((done) => setTimeout(done));
  return (performance.now() - begin) / 1000;
}
"""
TYPE = """
async (word) => {
  const field = document.querySelector('[data-testid="find-layer"]'), times = [];
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
  for (let i = 1; i <= word.length; i++) {
    const begin = performance.now();
    set.call(field, word.slice(0, i)); field.dispatchEvent(new Event('input', { bubbles: true }));
    await new Promise(requestAnimationFrame); await new Promise((done) => setTimeout(done));
    times.push(performance.now() - begin);
  }
  set.call(field, ''); field.dispatchEvent(new Event('input', { bubbles: true }));
  return Math.max(...times) / 1000;
}
"""


def tile_of(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    """Column and row of the Web Mercator tile that holds a place in degrees."""
    n = 2**zoom
    phi = math.radians(lat)
    return int((lon + 180) / 360 * n), int((1 - math.log(math.tan(phi) + 1 / math.cos(phi)) / math.pi) / 2 * n)


def layers_with_features(client: httpx.Client, lon: float, lat: float, wanted: int) -> list[str]:
    """Ids of tiled layers whose tile under the place is not empty; groups take turns."""
    groups = defaultdict(list)
    for layer in client.get("/api/layers").json()["layers"]:
        if layer["source"]["type"] == "mvt" and layer["min_zoom"] <= ZOOM and not layer["deck"].get("extruded"):
            groups[layer["group"]].append(layer)
    found: list[str] = []
    turns = itertools.zip_longest(*groups.values())
    for layer in (each for turn in turns for each in turn if each is not None):
        z = min(int(ZOOM), layer["max_zoom"])
        x, y = tile_of(lon, lat, z)
        answer = client.get(layer["source"]["url"].format(z=z, x=x, y=y))
        if answer.status_code == 200 and len(answer.content) > 0:
            found.append(layer["id"])
        if len(found) == wanted:
            return found
    raise SystemExit(f"only {len(found)} layers have features at {lon:.4f}, {lat:.4f}: --layers {len(found)}")


def limit(browser: Browser) -> float:
    """Frames a second of a page that does nothing but redraw one canvas."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.set_content(EMPTY)
    page.wait_for_timeout(1000)
    begin, first = time.perf_counter(), page.evaluate("window.drawn")
    page.wait_for_timeout(3000)
    rate = (page.evaluate("window.drawn") - first) / (time.perf_counter() - begin)
    page.close()
    return rate


def presented(events: list[dict], seconds: float) -> float:
    """Frames a second that Chromium's compositor drew, from a trace."""
    return sum(1 for event in events if event.get("name") == "Graphics.Pipeline.DrawAndSwap" and event.get("ph") in ("b", "B", "X")) / seconds


def moving(page: Page, seconds: float, act, shots: int = 0) -> dict:
    """Frames while `act(part)` moves the map, part running from 0 to 1 in real time; with `shots`, distinct screenshots of the map instead of a trace."""
    session = page.context.browser.new_browser_cdp_session()
    events: list[dict] = []
    session.on("Tracing.dataCollected", lambda message: events.extend(message["value"]))
    done = []
    session.on("Tracing.tracingComplete", lambda message: done.append(True))
    box = page.locator('[data-testid="map"]').bounding_box()
    pictures: set[bytes] = set()
    taken = 0
    page.evaluate(WATCH)
    if not shots:
        session.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": {"includedCategories": ["-*", "viz"]}})
    begin = time.perf_counter()
    while (part := (time.perf_counter() - begin) / seconds) < 1:
        act(part)
        if shots and part * shots > taken:
            taken += 1
            pictures.add(page.screenshot(clip={"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}))
    took = time.perf_counter() - begin
    probe = page.evaluate("() => { window.__probe.on = false; return window.__probe; }")
    if shots:
        return {"pictures": len(pictures), "asked": taken}
    session.send("Tracing.end")
    while not done:
        page.wait_for_timeout(50)
    gaps = [(b - a) / 1000 for a, b in itertools.pairwise(probe["frames"])]
    shown = presented(events, took)
    return {"moved": probe["moved"] / took, "presented": shown, "fps": min(probe["moved"] / took, shown), "worst_s": max(gaps, default=took), "draws": probe["draws"]}


def drag(page: Page):
    """Moves the pressed mouse over the map along a figure of eight, at the speed of a hand."""
    box = page.locator('[data-testid="map"]').bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def act(part: float) -> None:
        angle = 2 * math.pi * part * 2
        page.mouse.move(x + box["width"] * 0.35 * math.sin(angle), y + box["height"] * 0.3 * math.sin(2 * angle))

    page.mouse.move(x, y)
    page.mouse.down()
    return act


def wheel(page: Page):
    """Turns the wheel in and out again, thirty steps a second."""
    box = page.locator('[data-testid="map"]').bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.5)

    def act(part: float) -> None:
        page.mouse.wheel(0, -40 if (part * 4) % 2 < 1 else 40)
        page.wait_for_timeout(33)

    return act


def measure(browser: Browser, url: str, layers: list[str], seconds: float) -> dict:
    """All figures of one desk."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.goto(f"{url}/login")
    page.click(f'[data-testid="account-{PEOPLE}"]')
    page.wait_for_url(lambda address: "/login" not in address)
    place = f"c={CENTRE[0]:.5f},{CENTRE[1]:.5f},{ZOOM}"
    page.goto(f"{url}/review?{place}")
    page.wait_for_function(LOADED % 1, timeout=PATIENCE_S * 1000)
    panel = page.evaluate(OPEN_PANEL)
    typed = page.evaluate(TYPE, "jianzhu")
    page.goto(f"{url}/review?{place}&l={','.join(layers)}")
    page.wait_for_function(LOADED % len(layers), timeout=PATIENCE_S * 1000)
    page.wait_for_timeout(1500)
    act = drag(page)
    pan = moving(page, seconds, act)
    seen = moving(page, 3.0, act, shots=6)
    page.mouse.up()
    page.wait_for_timeout(3000)
    page.wait_for_function(LOADED % len(layers), timeout=PATIENCE_S * 1000)
    zoom = moving(page, seconds, wheel(page))
    page.wait_for_timeout(3000)
    page.close()
    return {"panel": panel, "typed": typed, "pan": pan, "zoom": zoom, "seen": seen}


def main() -> None:
    """Prints a table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url")
    parser.add_argument("--layers", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=6.0)
    chosen = parser.parse_args()
    settings = address.choose(Settings()) if chosen.url is None else Settings()
    url = chosen.url or f"http://{settings.host}:{settings.port}"
    client = sign_in(url, PEOPLE)
    layers = layers_with_features(client, *CENTRE, chosen.layers)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        most = limit(browser)
        found = measure(browser, url, layers, chosen.seconds)
        browser.close()
    pan, zoom = found["pan"], found["zoom"]
    print(f"{'':<28}{'frames/s':>10}{'moved/s':>10}{'presented/s':>13}{'worst frame':>13}{'redraws':>9}")
    for name, each in (("pan", pan), ("zoom", zoom)):
        print(f"{name:<28}{each['fps']:>10.1f}{each['moved']:>10.1f}{each['presented']:>13.1f}{each['worst_s']:>11.2f} s{each['draws']:>9}")
    print(f"{'one empty canvas':<28}{most:>10.1f}")
    print(f"panel opens in {found['panel']:.2f} s, a typed letter shows in at most {found['typed']:.2f} s; {found['seen']['pictures']} of {found['seen']['asked']} screenshots of the pan differ")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; layers: {' '.join(layers)}")
    if found["seen"]["pictures"] < max(2, found["seen"]["asked"]):
        raise SystemExit("the picture stood still while the mouse moved")
    figures = {"panel_s": found["panel"], "fps_pan": pan["fps"], "fps_zoom": zoom["fps"], "worst_s": max(pan["worst_s"], zoom["worst_s"]), "typed_s": found["typed"], "limit": most}
    print(json.dumps({**{name: round(value, 3) for name, value in figures.items()}, "layers": len(layers)}))


if __name__ == "__main__":
    main()
