"""Studies: analyses that are no change of a pair of scenes, one file each: a module here exposes one `STUDY`; its fields are its parameters.

The folder is scanned once. A file that cannot be imported, or whose object is not what is said below, stops the start with its name.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import shapely
from psycopg import AsyncConnection

from grid import discovery
from grid.database import Scope
from grid.errors import InvalidInput, NotFound
from grid.sensing.observations import Finding
from imagery.scenes.catalogue import Scene
from imagery.scenes.parametric import Parametric

Tell = Callable[[float], None]
"""Hears how much is done (0…1); raises `engine.Cancelled` when the study was called off."""


class BrokenStudy(discovery.Broken):
    """A file in this folder does not expose a sound STUDY."""

    title = "分析模块有误 · A study cannot be loaded"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a study is of: scenes in the order given, a dataset's id ("" for none), the region that asks, whether any of it is simulated."""

    number: int
    scenes: tuple[Scene, ...]
    dataset_id: str
    scope: Scope
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that was found: its class, shape (EPSG:4326), figures, the finding that it is, if it is one, and whether what it rests on is made up."""

    label: str
    geom: shapely.Geometry
    properties: dict = field(default_factory=dict)
    finding: Finding | None = None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """What came out: features, and the figures of the run."""

    features: tuple[Feature, ...]
    result: dict


class Study(Parametric, ABC):
    """Base of every study. `takes` says in words which scenes and dataset it wants; `regional` ones are of the region that asks, others of their scenes'."""

    described_at: ClassVar[str] = "/api/studies/kinds"
    takes: ClassVar[str]
    regional: ClassVar[bool] = False

    @abstractmethod
    def check(self, asked: Asked) -> None:
        """Raises InvalidInput where it cannot be done with these scenes or this dataset."""

    async def gather(self, connection: AsyncConnection, asked: Asked) -> Any:
        """What it must know from the database. Default None."""
        return None

    @abstractmethod
    def work(self, asked: Asked, gathered: Any, data_dir: Path, tell: Tell) -> Made:
        """Does it, without a database. Raises InvalidInput with what is wrong."""


@cache
def catalogue() -> MappingProxyType[str, Study]:
    """Every study in this folder by id."""
    return MappingProxyType(discovery.things(__name__, __path__, "STUDY", Study, broken=BrokenStudy))


def get(kind: str) -> Study:
    """The study with default parameters. NotFound."""
    if kind not in catalogue():
        raise NotFound(f"no study {kind[:60]!r}", remedy=f"one of: {', '.join(catalogue())}")
    return catalogue()[kind]


def two(asked: Asked, band: str) -> None:
    """Raises InvalidInput unless two scenes with a band are given, the earlier first, that overlap."""
    if len(asked.scenes) != 2 or asked.dataset_id:
        raise InvalidInput(f"{len(asked.scenes)} scenes and dataset {asked.dataset_id!r}", remedy="give two scenes, the earlier first, and no dataset")
    before, after = asked.scenes
    missing = [scene.id for scene in asked.scenes if band not in scene.band_names]
    if missing:
        raise InvalidInput(f"{', '.join(missing)} has no band {band}", remedy="register surface models with bands=height")
    if not before.taken_at < after.taken_at or not before.geom.intersects(after.geom):
        raise InvalidInput(f"{before.id} is not before {after.id}, or they do not overlap", remedy="give two scenes of one place, the earlier first")
