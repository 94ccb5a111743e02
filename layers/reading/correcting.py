"""Shapes put right row by row, as the coordinate firewall decided and a person confirmed."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Correction:
    """How to read each row of a file: `readings[choice[i]]` (keys of grid.firewall) for row i from 0. Rows beyond are read by the first."""

    readings: tuple[str, ...]
    choice: NDArray[np.int8]

    def datums(self, count: int, start: int, declared: str) -> NDArray[np.object_]:
        """The datum that heights of the rows from `start` on are above."""
        found = np.full(count, declared, dtype=object)
        known = self.choice[start : start + count]
        for index, key in enumerate(self.readings):
            if datum := key.partition("^")[2]:
                found[: len(known)][known == index] = datum
        return found

    def place(self, shapes: NDArray[np.object_], start: int) -> NDArray[np.object_]:
        """Shapes of the rows from `start` on, in storage degrees. None and empty pass through."""
        from grid import firewall  # heavy, and few files are put right

        chosen = np.zeros(len(shapes), dtype=np.int8)
        known = self.choice[start : start + len(shapes)]
        chosen[: len(known)] = known
        placed = shapes.copy()
        for index in np.unique(chosen):
            reading = firewall.parse(self.readings[index])
            mine = chosen == index
            placed[mine] = shapely.transform(shapes[mine], reading.place, interleaved=False)
        return placed
