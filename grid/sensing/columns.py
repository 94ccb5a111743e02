"""Findings as columns of Arrow: how many of them travel from a door to the table at once, without an object for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from grid.sensing.observations import Finding

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LEAST_US, MOST_US = -62_135_596_800_000_000, 253_402_300_799_000_000
"""The years 1 to 9999, all that a datetime holds."""
HEAD = ("source", "sensor_kind", "kind", "class_name", "algorithm", "model_version", "model_hash")
"""Texts that are mostly the same all over a batch."""
Texts = str | pa.DictionaryArray
"""One text for all rows, or one for each; sequences become arrays as they are given."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Many findings; a text that all share is given once. `recorded_us` are microseconds since 1970 UTC, `lon` and `lat` degrees of EPSG:4326.

    `whole` holds, by row, the findings that carry more than columns do (footprint, bearing, evidence, boxes, properties).

    >>> two = Columns("mast", ["a", "b"], "camera", ["smoke", "water"], *(np.zeros(2),) * 5)
    >>> two.source_event_id.to_pylist(), two.texts("kind").to_pylist(), sorted(two.distinct("kind")), two.texts("source").to_pylist()
    (['a', 'b'], ['smoke', 'water'], ['smoke', 'water'], ['mast', 'mast'])
    """

    source: Texts
    source_event_id: pa.StringArray
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
    camera_id: pa.Int64Array | None = None
    simulated: bool | pa.BooleanArray = False
    whole: Mapping[int, Finding] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            given = getattr(self, name)
            if given is not None and not isinstance(given, str | bool | pa.Array):
                object.__setattr__(self, name, pa.array(given, kind))
        for name in HEAD:
            given = getattr(self, name)
            if isinstance(given, pa.Array) and not isinstance(given, pa.DictionaryArray):
                object.__setattr__(self, name, given.dictionary_encode())

    def __len__(self) -> int:
        return len(self.source_event_id)

    def texts(self, name: str) -> pa.StringArray:
        """One of the shared text columns in full."""
        given = getattr(self, name)
        return pa.repeat(pa.scalar(given, pa.string()), len(self)) if isinstance(given, str) else given.dictionary.take(given.indices)

    def distinct(self, name: str) -> set[str]:
        """The values of one of the shared text columns."""
        given = getattr(self, name)
        return {given} if isinstance(given, str) else set(given.dictionary.take(given.indices.unique()).to_pylist())

    def finding(self, row: int) -> Finding:
        """One row as a finding of its own; a time that no datetime holds comes as the nearest that one does, to be refused by its value."""
        if row in self.whole:
            return self.whole[row]
        heads = {name: value if isinstance(value := getattr(self, name), str) else value[row].as_py() for name in HEAD}
        return Finding(
            **heads,
            source_event_id=self.source_event_id[row].as_py(),
            score=float(self.score[row]),
            recorded_at=EPOCH + timedelta(microseconds=min(max(int(self.recorded_us[row]), LEAST_US), MOST_US)),
            place=shapely.Point(float(self.lon[row]), float(self.lat[row])),
            accuracy_m=float(self.accuracy_m[row]),
            camera_id=None if self.camera_id is None else self.camera_id[row].as_py(),
            simulated=self.simulated if isinstance(self.simulated, bool) else self.simulated[row].as_py(),
        )


def of(findings: Sequence[Finding]) -> Columns:
    """Checked findings (each place a point with finite degrees, each time aware) as columns."""
    place = shapely.get_coordinates([f.place for f in findings])
    return Columns(
        **{name: _shared([getattr(f, name) for f in findings]) for name in HEAD},
        source_event_id=[f.source_event_id for f in findings],
        score=np.array([f.score for f in findings], dtype=np.float64),
        recorded_us=np.array([(f.recorded_at - EPOCH) // MICROSECOND for f in findings], dtype=np.int64),
        lon=place[:, 0].copy(),
        lat=place[:, 1].copy(),
        accuracy_m=np.array([f.accuracy_m for f in findings], dtype=np.float64),
        camera_id=[f.camera_id for f in findings] if any(f.camera_id is not None for f in findings) else None,
        simulated=_shared([f.simulated for f in findings]),
        whole={
            row: f
            for row, f in enumerate(findings)
            if f.footprint is not None or f.bearing_deg is not None or f.evidence or f.boxes or f.properties
        },
    )


def _shared(given: list) -> object:
    return given[0] if given.count(given[0]) == len(given) else given


_KINDS = {"source_event_id": pa.string(), "camera_id": pa.int64(), "simulated": pa.bool_(), **dict.fromkeys(HEAD, pa.string())}
