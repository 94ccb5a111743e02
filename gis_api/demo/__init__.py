"""The demo city 模拟青岛: `load` builds it, `simulate` moves its units. Everything generated is marked simulated."""

from gis_api.demo.city import load
from gis_api.demo.movement import simulate

__all__ = ["load", "simulate"]
