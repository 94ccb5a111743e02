"""Land use of the demo city by position: which kind of place a spot in the built-up districts is, and the hills among them.

Focus points lie where the real city has them (八大关, 五四广场, 中山公园, 信号山, 浮山 …); everything between is generated.
"""

import math

import numpy as np

from gis_api.demo import plane

# name, lon, lat, radius in metres, height of the hill in metres
HILLS = (
    ("太平山", 120.3466, 36.0695, 620, 150),
    ("青岛山", 120.3372, 36.0672, 300, 128),
    ("信号山", 120.3312, 36.0640, 150, 98),
    ("小鱼山", 120.3330, 36.0552, 120, 60),
    ("观象山", 120.3236, 36.0668, 140, 77),
    ("浮山", 120.4215, 36.0890, 950, 368),
    ("浮山北麓", 120.4330, 36.1010, 800, 330),
    ("双山", 120.3830, 36.1180, 420, 114),
    ("老虎山", 120.4420, 36.1610, 800, 178),
    ("枣儿山", 120.4040, 36.1710, 380, 131),
    ("楼山", 120.3880, 36.2080, 520, 98),
)
# name, lon, lat, radius in metres, use
FOCUS = (
    ("八大关", 120.3505, 36.0535, 720, "villa"),
    ("太平角", 120.3620, 36.0480, 480, "villa"),
    ("五四广场", 120.3840, 36.0655, 760, "cbd"),
    ("奥帆中心", 120.3950, 36.0590, 520, "cbd"),
    ("远雄", 120.4030, 36.0720, 420, "tower"),
    ("金家岭", 120.4620, 36.0900, 900, "cbd"),
    ("台东", 120.3560, 36.0850, 600, "commercial"),
    ("中山路", 120.3175, 36.0655, 380, "commercial"),
    ("团岛", 120.2930, 36.0490, 420, "port"),
    ("小港", 120.3110, 36.0800, 600, "port"),
    ("大港", 120.3200, 36.0920, 900, "port"),
    ("海洋大学", 120.3370, 36.0610, 230, "campus"),
    ("浮山校区", 120.4230, 36.0700, 300, "campus"),
    ("市立医院", 120.3480, 36.0740, 170, "medical"),
)
USE_OF = {
    "old": "residential", "villa": "residential", "slab": "residential", "tower": "residential", "cbd": "office", "commercial": "commercial",
    "port": "warehouse", "campus": "education", "medical": "medical", "works": "industrial", "park": "",
}  # fmt: skip
TARGET_M2 = {
    "old": 7000.0, "villa": 9000.0, "slab": 9500.0, "tower": 16000.0, "cbd": 15000.0, "commercial": 5200.0, "port": 26000.0, "campus": 24000.0,
    "medical": 16000.0, "works": 24000.0, "park": math.inf,
}  # fmt: skip
_HILL_XY = [(*plane.xy(lon, lat), radius) for _, lon, lat, radius, _ in HILLS]
_FOCUS_XY = [(*plane.xy(lon, lat), radius, use) for _, lon, lat, radius, use in FOCUS]
_PATCHES = np.random.default_rng(7).uniform(0, 2 * math.pi, 8)


def zone(x: float, y: float) -> str:
    """The kind of place at plane metres: old, villa, slab, tower, cbd, commercial, port, campus, medical, works or park."""
    wobble = 1 + 0.18 * math.sin(x / 130 + _PATCHES[0]) * math.cos(y / 170 + _PATCHES[1])
    for hx, hy, radius in _HILL_XY:
        if math.hypot(x - hx, y - hy) < radius * wobble:
            return "park"
    for fx, fy, radius, use in _FOCUS_XY:
        if math.hypot(x - fx, y - fy) < radius * wobble:
            return use
    patch = sum(math.sin(x / s + _PATCHES[i]) * math.sin(y / t + _PATCHES[i + 3]) for i, (s, t) in enumerate(((420, 380), (900, 700), (230, 260))))
    if patch > 1.45:
        return "tower"
    if patch > 0.95:
        return "slab"
    if patch < -1.75:
        return "park"
    if patch < -1.55:
        return "campus"
    return "old"


def hill_m(x, y):
    """Height in metres that the hills among the houses add to the ground; arrays or floats in plane metres."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    total = np.zeros(np.broadcast(x, y).shape)
    for (hx, hy, radius), (*_, height) in zip(_HILL_XY, HILLS, strict=True):
        total = np.maximum(total, height * np.exp(-((x - hx) ** 2 + (y - hy) ** 2) / (0.6 * radius) ** 2))
    return total
