"""Compiled: which share of each pixel a polygon covers, exactly, and sums over pixels by those shares. numba, nogil.

An edge adds, row by row, the area between it and the pixel's left side to the pixel it passes and its height to all pixels right of it; signed
by its direction, so that holes take off what they cover and nothing is clipped (the accumulation of Levien, font-rs, 2016, in double precision).
"""

import numpy as np
from numba import njit

NEGLIGIBLE = 1e-9


@njit(nogil=True, cache=True)
def _longer(old: np.ndarray, least: int) -> np.ndarray:
    new = np.empty(max(2 * len(old), least), old.dtype)
    new[: len(old)] = old
    return new


@njit(nogil=True, cache=True)
def _edge(cover: np.ndarray, x0: float, y0: float, x1: float, y1: float) -> None:
    """Adds an edge (columns, rows of the buffer) to `cover` (height, width + 2)."""
    if y0 == y1:
        return
    sign = 1.0
    if y0 > y1:
        x0, y0, x1, y1, sign = x1, y1, x0, y0, -1.0
    slope = (x1 - x0) / (y1 - y0)
    for row in range(int(np.floor(y0)), min(int(np.ceil(y1)), len(cover))):
        top, bottom = max(y0, float(row)), min(y1, row + 1.0)
        if bottom <= top:
            continue
        height = (bottom - top) * sign
        left, right = x0 + (top - y0) * slope, x0 + (bottom - y0) * slope
        if left > right:
            left, right = right, left
        first, last = int(np.floor(left)), int(np.floor(right))
        if first == last:
            part = (left + right) / 2 - first
            cover[row, first] += height * (1 - part)
            cover[row, first + 1] += height * part
            continue
        done, run = 0.0, right - left
        for x in range(first, last + 1):
            begin, end = max(left, float(x)), min(right, x + 1.0)
            part = height * (end - begin) / run
            inside = (begin + end) / 2 - x
            cover[row, x] += part * (1 - inside)
            cover[row, x + 1] += part * inside
            done += part


@njit(nogil=True, cache=True)
def weigh(xs: np.ndarray, ys: np.ndarray, rings: np.ndarray, zones: np.ndarray, height: int, width: int) -> tuple:
    """Coverage of zones. `xs`, `ys` corners in columns and rows of the raster (float64), ring i `rings[i]` … `rings[i + 1]` closed, outer rings one
    way round and holes the other, `zones[j]` … `zones[j + 1]` the rings of zone j. What lies outside (height, width) is left out.

    Returns spans of whole pixels (zone offsets, flat start, length) and single pixels (zone offsets, flat place, share)."""
    count = len(zones) - 1
    span_of, edge_of = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    span_at, span_long = np.empty(4096, np.int64), np.empty(4096, np.int32)
    edge_at, edge_share = np.empty(4096, np.int64), np.empty(4096, np.float64)
    spans, edges = 0, 0
    for zone in range(count):
        lo, hi = rings[zones[zone]], rings[zones[zone + 1]]
        if hi > lo:
            west, north = int(np.floor(xs[lo:hi].min())), int(np.floor(ys[lo:hi].min()))
            wide, tall = int(np.ceil(xs[lo:hi].max())) - west + 1, int(np.ceil(ys[lo:hi].max())) - north + 1
            cover = np.zeros((tall, wide + 2))
            for ring in range(zones[zone], zones[zone + 1]):
                for k in range(rings[ring], rings[ring + 1] - 1):
                    _edge(cover, xs[k] - west, ys[k] - north, xs[k + 1] - west, ys[k + 1] - north)
            for row in range(tall):
                if not 0 <= row + north < height:
                    continue
                total, begin = 0.0, -1
                for x in range(wide + 1):
                    total += cover[row, x]
                    share = abs(total)
                    full = share > 1 - NEGLIGIBLE and 0 <= x + west < width
                    if full and begin < 0:
                        begin = x
                    if not full and begin >= 0:
                        if spans == len(span_at):
                            span_at, span_long = _longer(span_at, 0), _longer(span_long, 0)
                        span_at[spans], span_long[spans] = (row + north) * width + begin + west, x - begin
                        spans += 1
                        begin = -1
                    if not full and share > NEGLIGIBLE and 0 <= x + west < width:
                        if edges == len(edge_at):
                            edge_at, edge_share = _longer(edge_at, 0), _longer(edge_share, 0)
                        edge_at[edges], edge_share[edges] = (row + north) * width + x + west, share
                        edges += 1
                if begin >= 0:
                    if spans == len(span_at):
                        span_at, span_long = _longer(span_at, 0), _longer(span_long, 0)
                    span_at[spans], span_long[spans] = (row + north) * width + begin + west, wide + 1 - begin
                    spans += 1
        span_of[zone + 1], edge_of[zone + 1] = spans, edges
    return span_of, span_at[:spans].copy(), span_long[:spans].copy(), edge_of, edge_at[:edges].copy(), edge_share[:edges].copy()


@njit(nogil=True, cache=True)
def sums(
    pixels: np.ndarray, values: np.ndarray, known: np.ndarray, span_of: np.ndarray, span_at: np.ndarray, span_long: np.ndarray,
    edge_of: np.ndarray, edge_at: np.ndarray, edge_share: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """(zones, 5) float64: covered area of known pixels, sum, sum of squares, least, most. `pixels` flat codes, `values` and `known` by code."""
    count = len(span_of) - 1
    found = np.zeros((count, 5))
    for zone in range(count):
        area, total, squares, least, most = 0.0, 0.0, 0.0, np.inf, -np.inf
        for k in range(span_of[zone], span_of[zone + 1]):
            for at in range(span_at[k], span_at[k] + span_long[k]):
                code = pixels[at]
                if known[code]:
                    value = values[code]
                    area += 1
                    total += value
                    squares += value * value
                    least, most = min(least, value), max(most, value)
        for k in range(edge_of[zone], edge_of[zone + 1]):
            code = pixels[edge_at[k]]
            if known[code]:
                value, share = values[code], edge_share[k]
                area += share
                total += share * value
                squares += share * value * value
                least, most = min(least, value), max(most, value)
        found[zone] = area, total, squares, least, most
    return found
