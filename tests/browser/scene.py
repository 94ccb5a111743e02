"""What the browser tests do to the world, and how they look at a page."""

import io
from datetime import UTC, datetime
from uuid import uuid4

import httpx
from PIL import Image, ImageDraw
from playwright.sync_api import Page


def fire(client: httpx.Client, lon: float, lat: float) -> str:
    """A satellite sees a fire; its source_event_id."""
    key = str(uuid4())
    answer = client.post(
        "/api/observations",
        json={
            "observations": [
                {
                    "source": "satellite:browser-test", "source_event_id": key, "sensor_kind": "satellite", "kind": "forest_fire", "score": 0.95,
                    "recorded_at": datetime.now(UTC).isoformat(), "position": {"lon": lon, "lat": lat, "accuracy_m": 375}, "algorithm": "viirs-active-fire",
                    "model_version": "C2", "simulated": True,
                }
            ]
        },
    )  # fmt: skip
    answer.raise_for_status()
    return key


def photo() -> dict:
    """A new JPEG as a file that a camera input takes."""
    image = Image.new("RGB", (800, 600), (96, 118, 92))
    draw = ImageDraw.Draw(image)
    draw.rectangle((240, 300, 560, 520), fill=(140, 120, 90))
    draw.text((20, 20), str(uuid4()), fill=(255, 255, 255))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": buffer.getvalue()}


OVERLAPS = """
(selectors) => {
  const boxes = selectors.flatMap((s) => [...document.querySelectorAll(s)].map((e) => ({ s, r: e.getBoundingClientRect() }))).filter((b) => b.r.width > 0 && b.r.height > 0);
  const found = [];
  for (const { s, r } of boxes)
    if (r.left < -1 || r.top < -1 || r.right > innerWidth + 1 || r.bottom > innerHeight + 1) found.push(`${s} leaves the screen`);
  for (let i = 0; i < boxes.length; i++)
    for (let j = i + 1; j < boxes.length; j++) {
      const [a, b] = [boxes[i].r, boxes[j].r];
      const w = Math.min(a.right, b.right) - Math.max(a.left, b.left), h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (w > 1 && h > 1) found.push(`${boxes[i].s} lies over ${boxes[j].s}`);
    }
  return found;
}
"""


def overlaps(page: Page, *selectors: str) -> list[str]:
    """Panels that lie over each other or leave the screen."""
    return page.evaluate(OVERLAPS, list(selectors))


CUT = """
() => [...document.querySelectorAll('button, h1, h2, h3, dt, dd, label')].filter((e) => {
  const style = getComputedStyle(e);
  return e.offsetParent && e.innerText.trim() && style.textOverflow !== 'ellipsis' && style.overflowX !== 'auto' && e.scrollWidth > e.clientWidth + 2 && style.display !== 'inline';
}).map((e) => e.innerText.slice(0, 40))
"""


def cut_texts(page: Page) -> list[str]:
    """Texts wider than their own box."""
    return page.evaluate(CUT)
