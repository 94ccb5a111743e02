"""Suspected reclamation: water before, dry and bright ground after, which no tide between the scenes explains.

The rule of shoreline change with the tide taken out (see `shoreline`), and dry ground: soil, sand and concrete reflect more in the shortwave infrared
than in the blue-green, wet flats do not (Lobell & Asner, Soil Sci. Soc. Am. J. 66(3), 2002).
"""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from imagery.scenes.analyses import Example, Finding, index, scene_example
from imagery.scenes.analyses.shoreline import Shoreline


class Reclamation(Shoreline):
    """Score: as of shoreline change, where water became dry ground."""

    id: ClassVar[str] = "reclamation"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "疑似填海"
    title_en: ClassVar[str] = "Suspected reclamation"
    kind: ClassVar[str] = "reclamation"

    dry: Annotated[float, Field(ge=-1, le=1, title="干地 MNDWI 上限 · Most MNDWI of dry ground", json_schema_extra={"unit": "MNDWI"})] = -0.1

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Marks what was water and is dry ground now."""
        found = super().run(before, after, valid, fitted)
        laid = (index(before[0], before[3]) > fitted.before) & (index(after[0], after[3]) <= self.dry)
        return Finding(np.where(laid, found.score, np.minimum(found.score, 0.0)).astype(np.float32), found.mask & laid)

    @classmethod
    def example(cls) -> Example:
        """Sea of which a square is filled."""

        def fill(pixels: np.ndarray) -> None:
            pixels *= np.array([1850 / 700, 2150 / 450, 2550 / 250, 3050 / 120], np.float32)[:, None, None]

        return scene_example(fill, bands=4, background=(700, 450, 250, 120), noise=0.03, seed=13)


ANALYSIS = Reclamation()
