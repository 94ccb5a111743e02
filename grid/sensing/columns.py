"""Findings as columns: how many of them travel from a door to the table at once, without an object for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import shapely
from numpy.typing import NDArray

from grid.sensing.observations import Finding

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LEAST_US, MOST_US = -62_135_596_800_000_000, 253_402_300_799_000_000
"""The years 1 to 9999, all that a datetime holds."""
HEAD = ("source", "sensor_kind", "kind", "class_name", "algorithm", "model_version", "model_hash")
"""Texts that are mostly the same all over a batch."""
Texts = str | Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Many findings; a text that all share is given once. `recorded_us` are microseconds since 1970 UTC, `lon` and `lat` degrees of EPSG:4326.

    `whole` holds, by row, the findings that carry more than columns do (footprint, bearing, evidence, boxes, properties).
    """

    source: Texts
    source_event_id: Sequence[str]
    sensor_kind: Texts
    kind: Texts
    score: NDArray[np.float64]
    recorded_us: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    accuracy_m: NDArray[np.float64]
    class_name: Texts = ""
    algorithm: Texts = ""
    model_version: Texts = ""
    model_hash: Texts = ""
    camera_id: Sequence[int | None] | None = None
    simulated: bool | Sequence[bool] = False
    whole: Mapping[int, Finding] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.source_event_id)

    def texts(self, name: str) -> Sequence[str]:
        """One of the text columns in full."""
        given = getattr(self, name)
        return [given] * len(self) if isinstance(given, str) else given

    def distinct(self, name: str) -> set[str]:
        """The values of one of the text columns."""
        given = getattr(self, name)
        return {given} if isinstance(given, str) else set(given)

    def finding(self, row: int) -> Finding:
        """One row as a finding of its own; a time that no datetime holds comes as the nearest that one does, to be refused by its value."""
        if row in self.whole:
            return self.whole[row]
        heads = {name: value if isinstance(value := getattr(self, name), str) else value[row] for name in HEAD}
        return Finding(
            **heads,
            source_event_id=self.source_event_id[row],
            score=float(self.score[row]),
            recorded_at=EPOCH + timedelta(microseconds=min(max(int(self.recorded_us[row]), LEAST_US), MOST_US)),
            place=shapely.Point(float(self.lon[row]), float(self.lat[row])),
            accuracy_m=float(self.accuracy_m[row]),
            camera_id=None if self.camera_id is None else self.camera_id[row],
            simulated=self.simulated if isinstance(self.simulated, bool) else self.simulated[row],
        )

    def rows(self, chosen: NDArray[np.int64]) -> "Columns":
        """The chosen rows, in the order given."""
        at = chosen.tolist()

        def part(given):
            return given if given is None or isinstance(given, str | bool) else given[chosen] if isinstance(given, np.ndarray) else [given[i] for i in at]

        new_place = {row: number for number, row in enumerate(at)} if self.whole else {}
        values = {name: part(getattr(self, name)) for name in self.__dataclass_fields__ if name != "whole"}
        return Columns(**values, whole={new_place[row]: finding for row, finding in self.whole.items() if row in new_place})


def of(findings: Sequence[Finding]) -> Columns:
    """Checked findings (each place a point with finite degrees, each time aware) as columns."""
    place = shapely.get_coordinates([f.place for f in findings])
    return Columns(
        **{name: _texts([getattr(f, name) for f in findings]) for name in HEAD},
        source_event_id=[f.source_event_id for f in findings],
        score=np.array([f.score for f in findings], dtype=np.float64),
        recorded_us=np.array([(f.recorded_at - EPOCH) // MICROSECOND for f in findings], dtype=np.int64),
        lon=place[:, 0].copy(),
        lat=place[:, 1].copy(),
        accuracy_m=np.array([f.accuracy_m for f in findings], dtype=np.float64),
        camera_id=[f.camera_id for f in findings] if any(f.camera_id is not None for f in findings) else None,
        simulated=[f.simulated for f in findings],
        whole={
            row: f
            for row, f in enumerate(findings)
            if f.footprint is not None or f.bearing_deg is not None or f.evidence or f.boxes or f.properties
        },
    )


def _texts(given: list[str]) -> Texts:
    return given[0] if given.count(given[0]) == len(given) else given
