"""Heaps and pits between two surface models, as a study: the method is that of `volumes`."""

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from imagery.scenes import volumes
from imagery.scenes.studies import Asked, Feature, Made, Study, Tell, two


class Heaps(Study):
    """Heaps that certainly grew become findings of kind spoil_heap."""

    id: ClassVar[str] = "volumes"
    version: ClassVar[str] = volumes.VERSION
    title: ClassVar[str] = "堆体与开挖方量"
    title_en: ClassVar[str] = "Volumes of heaps and pits"
    takes: ClassVar[str] = "两期表面模型（波段 height），先早后晚 · two surface models (band height), the earlier first"

    minimum_area_m2: Annotated[float, Field(ge=1, le=1e6, title="最小面积 · Smallest area", json_schema_extra={"unit": "m²"})] = 20.0
    least_m: Annotated[float, Field(ge=0, le=50, title="最小高差 · Least change of height", json_schema_extra={"unit": "m"})] = 0.0
    accuracy_m: Annotated[float, Field(gt=0, le=100, title="位置精度（90%） · Accuracy of place (90 %)", json_schema_extra={"unit": "m"})] = 2.0

    def check(self, asked: Asked) -> None:
        """Two scenes with heights."""
        two(asked, "height")

    def work(self, asked: Asked, gathered: Any, data_dir: Path, tell: Tell) -> Made:
        """Measures the pair in one piece."""
        before, after = asked.scenes
        tell(0.1)
        found = volumes.measure(before.path(data_dir), after.path(data_dir), minimum_area_m2=self.minimum_area_m2, least_m=self.least_m)
        tell(0.9)
        handed = volumes.findings(found, source=f"study-volumes-{after.id}", seen_at=after.taken_at, accuracy_m=self.accuracy_m, simulated=asked.simulated)
        by_shape = {finding.footprint.wkb: finding for finding in handed}
        features = [
            Feature(
                ("heap" if heap.volume_m3 > 0 else "pit") + ("" if heap.certain else "_uncertain"),
                heap.patch.geom,
                {
                    "volume_m3": round(heap.volume_m3, 1), "volume_sigma_m3": round(heap.volume_sigma_m3, 1), "area_m2": round(heap.patch.area_m2, 1),
                    "height_m": round(heap.height_m, 2), "peak_m": round(heap.peak_m, 2),
                },
                by_shape.get(heap.patch.geom.wkb),
            )
            for heap in found.heaps
        ]  # fmt: skip
        figures = {name: round(getattr(found, name), 4) for name in ("detection_m", "offset_m", "east_m", "south_m", "spread_m", "stable_share")}
        risen, fallen = (sum(heap.volume_m3 for heap in found.heaps if heap.certain and sign * heap.volume_m3 > 0) for sign in (1, -1))
        return Made(tuple(features), figures | {"risen_m3": round(risen, 1), "fallen_m3": round(fallen, 1)})


STUDY = Heaps()
