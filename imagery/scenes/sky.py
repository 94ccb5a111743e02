"""What makers' own masks say hides the ground, in the classes of `masks`: for products that come with one."""

import numpy as np

NODATA, CLEAR, CLOUD, SHADOW = 0, 1, 2, 3

SCL = {0: NODATA, 3: SHADOW, 8: CLOUD, 9: CLOUD, 10: CLOUD, 11: CLOUD}
"""Sentinel-2 L2A scene classification (Sen2Cor): the classes under which the ground is not seen, thin cirrus and snow among them; others are clear."""
QA_FILL, QA_DILATED, QA_CIRRUS, QA_CLOUD, QA_SHADOW, QA_SNOW = (1 << bit for bit in range(6))
"""Bits of QA_PIXEL of Landsat Collection 2 (LSDS-1619, table 6-3)."""


def of_scl(classes: np.ndarray) -> np.ndarray:
    """Classes of `masks`, uint8, for those of a Sentinel-2 scene classification, any shape.

    >>> of_scl(np.array([0, 3, 4, 6, 9, 10])).tolist()
    [0, 3, 1, 1, 2, 2]
    """
    table = np.full(256, CLEAR, np.uint8)
    for code, ours in SCL.items():
        table[code] = ours
    return table[np.clip(classes, 0, 255)]


def of_qa(bits: np.ndarray) -> np.ndarray:
    """Classes of `masks`, uint8, for the QA_PIXEL bits of Landsat Collection 2, any shape; dilated cloud, cirrus and snow hide as cloud does.

    >>> of_qa(np.array([1, 21824, 22280, 23888, 21826, 54596])).tolist()
    [0, 1, 2, 3, 2, 2]
    """
    found = np.full(bits.shape, CLEAR, np.uint8)
    for mask, ours in ((QA_SHADOW, SHADOW), (QA_SNOW | QA_CIRRUS | QA_CLOUD | QA_DILATED, CLOUD), (QA_FILL, NODATA)):
        found[(bits & mask) != 0] = ours
    return found


def shares(classes: np.ndarray) -> dict[str, float]:
    """Shares (0…1) of the picture that are cloud and shadow; 0 where there is no picture.

    >>> shares(np.array([0, 1, 1, 2, 3], np.uint8))
    {'cloud': 0.25, 'shadow': 0.25}
    >>> shares(np.zeros(3, np.uint8))["cloud"]
    0.0
    """
    counts = np.bincount(classes.ravel(), minlength=4)
    seen = max(int(counts[1:].sum()), 1)
    return {"cloud": round(float(counts[CLOUD] / seen), 4), "shadow": round(float(counts[SHADOW] / seen), 4)}
