"""What the registers say about a place: forest compartments, parcels with their permits, coast setbacks, each as of a day."""

from dataclasses import asdict, dataclass
from datetime import date

import shapely
from psycopg import AsyncConnection

from grid.database import row, rows
from grid.sensing import alerts

CHANGE_KINDS = frozenset({"vegetation_loss", "construction", "burn_scar", "land_change"})
USES = {
    "farmland": ("耕地", "farmland"),
    "orchard": ("园地", "orchard"),
    "forest": ("林地", "forest land"),
    "residential": ("住宅用地", "residential land"),
    "commercial": ("商业用地", "commercial land"),
    "industrial": ("工业用地", "industrial land"),
    "public": ("公共设施用地", "public land"),
    "transport": ("交通用地", "transport land"),
    "water": ("水域", "water"),
    "green": ("绿地", "green space"),
    "bare": ("未利用地", "unused land"),
}
FOREST = {"public_welfare": ("公益林", "public-welfare forest"), "commercial": ("商品林", "commercial forest"), "scenic": ("风景林", "scenic forest")}
PROTECTED = frozenset({"farmland", "orchard", "forest", "green", "water"})


@dataclass(frozen=True, slots=True)
class LegalityLine:
    """What one register says: verdict unlawful, suspect, lawful or context; area in m² (geodesic) of the overlap."""

    layer: str
    name: str
    verdict: str
    text: str
    text_en: str
    clause: str = ""
    area_m2: float | None = None


async def context(connection: AsyncConnection, geometry: shapely.Geometry, kind: str, on: date) -> list[LegalityLine]:
    """Lines for a polygon or point (EPSG:4326) found as event `kind` on a day. Empty when no register covers it."""
    params = {"geom": shapely.set_srid(geometry, 4326), "on": on}
    lines = await _forest(connection, params, kind)
    lines += await _parcels(connection, params, kind)
    lines += await _setbacks(connection, params, kind)
    return lines


async def _forest(connection: AsyncConnection, params: dict, kind: str) -> list[LegalityLine]:
    found = await rows(
        connection,
        """
        SELECT code, name, class, ST_Area(ST_Intersection(geom, %(geom)s)::geography) AS area
        FROM forest_zones WHERE geom && %(geom)s AND ST_Intersects(geom, %(geom)s) AND valid @> %(on)s::date ORDER BY area DESC LIMIT 5
        """,
        params,
    )
    lines = []
    for zone in found:
        name, name_en = FOREST.get(zone["class"], (zone["class"], zone["class"]))
        harmful = kind in ("vegetation_loss", "construction")
        lines.append(
            LegalityLine(
                "forest_zones",
                zone["name"],
                "suspect" if harmful else "context",
                f"位于{name}林班 {zone['name']}（{zone['code']}）" + ("，未见采伐许可登记" if harmful else ""),
                f"inside {name_en} compartment {zone['code']}" + (", no felling permit on record" if harmful else ""),
                "森林法 第56条" if kind == "vegetation_loss" else "森林法 第37条" if kind == "construction" else "森林防火条例",
                zone["area"] or None,
            )
        )
    return lines


async def _parcels(connection: AsyncConnection, params: dict, kind: str) -> list[LegalityLine]:
    wanted = "felling" if kind == "vegetation_loss" else "construction"
    found = await rows(
        connection,
        """
        SELECT parcels.code, parcels.category, parcels.basic_farmland, ST_Area(ST_Intersection(parcels.geom, %(geom)s)::geography) AS area,
               (SELECT number FROM permits WHERE permits.parcel_id = parcels.id AND permits.kind = %(wanted)s AND permits.valid @> %(on)s::date LIMIT 1) AS permit
        FROM parcels WHERE parcels.geom && %(geom)s AND ST_Intersects(parcels.geom, %(geom)s) AND parcels.valid @> %(on)s::date
        ORDER BY area DESC LIMIT 5
        """,
        {**params, "wanted": wanted},
    )
    lines = []
    for parcel in found:
        use, use_en = USES.get(parcel["category"], (parcel["category"], parcel["category"]))
        basic = "（永久基本农田）" if parcel["basic_farmland"] else ""
        text, text_en = f"地块 {parcel['code']}：{use}{basic}", f"parcel {parcel['code']}: {use_en}{' (permanent basic farmland)' if basic else ''}"
        verdict, clause = "context", ""
        if kind in CHANGE_KINDS and parcel["permit"]:
            verdict, text, text_en = "lawful", f"{text}，有许可 {parcel['permit']}", f"{text_en}, permit {parcel['permit']}"
        elif kind == "construction":
            verdict = "unlawful" if parcel["basic_farmland"] else "suspect"
            clause = "土地管理法 第35条" if parcel["basic_farmland"] else "土地管理法 第44条" if parcel["category"] in PROTECTED else "城乡规划法 第40条"
            text, text_en = f"{text}，未见建设许可", f"{text_en}, no construction permit on record"
        elif kind == "vegetation_loss" and parcel["category"] in PROTECTED:
            verdict, clause = "suspect", "土地管理法 第4条"
        lines.append(LegalityLine("parcels", parcel["code"], verdict, text, text_en, clause, parcel["area"] or None))
    return lines


async def _setbacks(connection: AsyncConnection, params: dict, kind: str) -> list[LegalityLine]:
    found = await rows(
        connection,
        """
        SELECT name, distance_m, clause, ST_Area(ST_Intersection(geom, %(geom)s)::geography) AS area
        FROM setbacks WHERE geom && %(geom)s AND ST_Intersects(geom, %(geom)s) AND valid @> %(on)s::date ORDER BY distance_m LIMIT 1
        """,
        params,
    )
    return [
        LegalityLine(
            "setbacks",
            zone["name"],
            "suspect" if kind == "construction" else "context",
            f"位于海岸建筑退缩线内（{zone['distance_m']:.0f} 米）",
            f"inside the coast setback of {zone['distance_m']:.0f} m",
            zone["clause"],
            zone["area"] or None,
        )
        for zone in found
    ]


async def enrich(connection: AsyncConnection, alert_id: int) -> list[LegalityLine]:
    """Fills the legality of an alert from its newest changed polygon, or from its 50 % region or point. Running twice is the same."""
    alert = await row(
        connection,
        """
        SELECT kind, (last_seen_at AT TIME ZONE 'Asia/Shanghai')::date AS day,
               coalesce((SELECT patches.geom FROM patches JOIN observations ON observations.id = patches.observation_id
                         WHERE observations.alert_id = alerts.id ORDER BY patches.id DESC LIMIT 1), region50, alerts.geom) AS place
        FROM alerts WHERE id = %(id)s
        """,
        {"id": alert_id},
    )
    if alert is None:
        return []
    lines = await context(connection, alert["place"], alert["kind"], alert["day"])
    await alerts.set_legality(connection, alert_id, [asdict(line) for line in lines])
    return lines
