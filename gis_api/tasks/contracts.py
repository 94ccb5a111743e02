"""The jobs that keep the figures of areas, and check the contract of every layer."""

from gis_api.tasks import JobContext
from grid.database import rows
from grid.jobs import enqueue
from layers import contracts, figures
from layers.catalog import catalog

_DUE = """
    SELECT coalesce(max(at) FILTER (WHERE register <> %(made)s) > max(at) FILTER (WHERE register = %(made)s), count(*) FILTER (WHERE register <> %(made)s) > 0) AS due
    FROM register_changes WHERE register = ANY (%(registers)s) OR register = %(made)s
"""


async def area_figures(context: JobContext) -> None:
    """Makes the figures anew when a register behind them was written since. Running twice is the same."""
    registers = sorted({figure.register for figure in figures.FIGURES} | {"regions", "cells"})
    async with context.connection() as connection:
        if not (await rows(connection, _DUE, {"made": figures.MADE, "registers": registers}))[0]["due"]:
            return
        await figures.rebuild(connection)
        await enqueue(connection, "layer_contracts", queueing_lock="layer_contracts", lock="layer_contracts")


async def layer_contracts(context: JobContext) -> None:
    """Checks freshness, completeness, validity and lineage of every layer and stores what it found. Running twice is the same."""
    async with context.connection() as connection:
        await contracts.run(connection, catalog())
        await enqueue(connection, "layer_thumbnails", queueing_lock="layer_thumbnails", lock="layer_thumbnails", priority=-1)


TASKS = {"area_figures": area_figures, "layer_contracts": layer_contracts}
PERIODIC = {"area_figures": 300.0, "layer_contracts": contracts.CHECK_EVERY.total_seconds()}
