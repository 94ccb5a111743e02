"""Ecological red lines and planning zones of the demo city (all simulated): red lines over public-welfare forest, a plan that keeps land as it is registered."""

from psycopg import AsyncConnection


async def load(connection: AsyncConnection) -> int:
    """Draws both from the forest compartments and parcels that are there. Returns how many zones."""
    lines = await connection.execute(
        """
        INSERT INTO redlines (code, name, class, region_code, simulated, geom)
        SELECT 'HX' || code, name || ' 红线', 'water_conservation', region_code, true, geom FROM forest_zones WHERE class = 'public_welfare' ORDER BY code
        """
    )
    zones = await connection.execute(
        """
        INSERT INTO planning_zones (code, name, use, plan, region_code, simulated, geom)
        SELECT 'GH' || code, '规划分区 ' || code,
            CASE category WHEN 'farmland' THEN 'agricultural' WHEN 'orchard' THEN 'agricultural' WHEN 'forest' THEN 'ecological' WHEN 'bare' THEN 'reserve' ELSE category END,
            '模拟国土空间规划（2021–2035）', region_code, true, geom
        FROM parcels ORDER BY code
        """
    )
    return lines.rowcount + zones.rowcount
