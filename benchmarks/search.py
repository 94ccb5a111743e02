"""Search over layers, places and addresses: how long a keystroke waits, and whether what was meant stands in the first three.

Copies the demo city's names into a database of its own, adds house numbers on the demo's streets up to `--addresses`, and asks a list of queries of
many kinds. Right means: the thing that was meant, by its kind and name, is among the first three. Nothing is left out of the list because it fails.
"""

import argparse
import asyncio
import json
import os
import random
import re
import secrets
import statistics
import time
from dataclasses import dataclass

import psycopg
from psycopg import sql

from gis_api import migrations
from grid.database import Scope, connect, rows
from layers import search
from layers.catalog import catalog
from layers.names import READINGS, readings, sounds, whole

CITY = Scope("3702")
TABLES = ("search_names", "search_streets", "search_addresses")
WRITTEN: tuple[tuple[str, str, str], ...] = (
    ("八大关", "region", "八大关街道"),
    ("badaguan", "region", "八大关街道"),
    ("bdg", "region", "八大关街道"),
    ("bdgjd", "region", "八大关街道"),
    ("八大湖", "region", "八大湖街道"),
    ("badah", "region", "八大湖街道"),
    ("市南", "region", "市南区"),
    ("shinan", "region", "市南区"),
    ("snq", "region", "市南区"),
    ("SNQ", "region", "市南区"),
    ("shi nan qu", "region", "市南区"),
    ("370202", "region", "市南区"),
    ("市北", "region", "市北区"),
    ("sbq", "region", "市北区"),
    ("崂山", "region", "崂山区"),
    ("laoshan", "region", "崂山区"),
    ("lsq", "region", "崂山区"),
    ("西海岸", "region", "黄岛区（西海岸新区）"),
    ("西海岸新区", "region", "黄岛区（西海岸新区）"),
    ("xihaian", "region", "黄岛区（西海岸新区）"),
    ("huangdao", "region", "黄岛区（西海岸新区）"),
    ("黄岛区", "region", "黄岛区（西海岸新区）"),
    ("香港中路", "region", "香港中路街道"),
    ("xgzl", "region", "香港中路街道"),
    ("xianggangzl", "region", "香港中路街道"),
    ("zhongshanlu", "region", "中山路街道"),
    ("薛家岛", "region", "薛家岛街道"),
    ("xuejd", "region", "薛家岛街道"),
    ("灵珠山", "region", "灵珠山街道"),
    ("琅琊", "region", "琅琊镇"),
    ("boli", "region", "泊里镇"),
    ("poli", "region", "泊里镇"),
    ("青岛", "region", "青岛市"),
    ("qingdao", "region", "青岛市"),
    ("３７０２１２", "region", "崂山区"),
    ("摄像机", "layer", "摄像机"),
    ("shexiangji", "layer", "摄像机"),
    ("sxj", "layer", "摄像机"),
    ("道路", "layer", "道路"),
    ("roads", "layer", "道路"),
    ("林班", "layer", "林班（火险等级）"),
    ("告警", "layer", "告警"),
    ("gaojing", "layer", "告警"),
    ("图斑", "layer", "变化图斑"),
    ("退缩", "layer", "海岸退缩区"),
    ("tuisuoqu", "layer", "海岸退缩区"),
)
"""(what is typed, the kind, the name that is meant)."""

HOMOPHONES = {"港": "岗", "中": "忠", "山": "珊", "湖": "胡", "海": "嗨", "关": "观", "路": "璐", "岛": "倒", "台": "抬", "河": "和", "江": "姜", "安": "按", "宁": "凝", "阳": "杨"}


@dataclass(frozen=True, slots=True)
class Question:
    """What is typed, of which kind the question is, and what is meant."""

    sort: str
    word: str
    kind: str
    name: str


def initials(name: str) -> str:
    """First letters of a name's first reading."""
    return "".join(syllable if syllable.isdigit() else syllable[0] for syllable in readings(name)[0])


def chinese(number: int) -> str:
    """A number below 100 as Chinese digits."""
    digits = "零一二三四五六七八九"
    tens, ones = divmod(number, 10)
    return (("" if tens == 1 else digits[tens]) + "十" if tens else "") + (digits[ones] if ones or not tens else "")


async def questions(connection: psycopg.AsyncConnection) -> list[Question]:
    """The list: what is written above, and what is drawn with a fixed seed from the names of the demo city."""
    draw = random.Random(20261122)
    asked = [Question("written", word, kind, name) for word, kind, name in WRITTEN]
    named = await rows(connection, "SELECT kind, ref, name, code FROM search_names WHERE kind <> 'coast' ORDER BY kind, ref")
    of = {kind: [n for n in named if n["kind"] == kind] for kind in ("region", "road", "camera", "forest_zone", "cell", "building")}
    streets = [n for n in of["region"] if len(n["ref"]) == 9]
    plain = [n for n in of["road"] if not re.search(r"\d", n["name"])]
    places = await rows(
        connection,
        """
        SELECT a.street, a.number, d.name AS district FROM search_addresses AS a JOIN search_names AS d ON d.kind = 'region' AND d.ref = left(a.region_code, 6)
        ORDER BY md5(a.street || a.number || 'haidongqing') LIMIT 400
        """,
    )
    few = [p for p in places if re.fullmatch(r"\d{1,2}号", p["number"])]

    def add(sort: str, item: dict, word: str) -> None:
        asked.append(Question(sort, word, item["kind"], item["name"]))

    def door(sort: str, item: dict, word: str) -> None:
        asked.append(Question(sort, word, "building", item["street"] + item["number"]))

    for item in draw.sample(streets, 6) + draw.sample(plain, 8) + draw.sample(of["building"], 4) + draw.sample(of["camera"], 3) + draw.sample(of["forest_zone"], 3):
        add("whole name", item, item["name"])
    for item in draw.sample(streets, 10):
        add("beginning", item, item["name"][: max(2, len(item["name"]) - 2)])
    for item in draw.sample(plain, 5):
        add("beginning", item, item["name"][:-1])
    for item in draw.sample([s for s in streets if len(s["name"]) >= 5], 8):
        add("part", item, item["name"][1:])
    for item in draw.sample(streets, 8) + draw.sample(plain, 6):
        add("initials", item, initials(item["name"]))
    for item in draw.sample(streets, 8) + draw.sample(plain, 8):
        add("pinyin", item, whole(item["name"]))
    for item in draw.sample(streets, 5) + draw.sample(plain, 5):
        add("pinyin, spaces", item, " ".join(readings(item["name"])[0]))
    for item in draw.sample(streets, 8):
        add("pinyin, unfinished", item, whole(item["name"])[:-4])
    for item in draw.sample(streets, 6) + draw.sample(plain, 6):
        way = readings(item["name"])[0]
        add("pinyin and initials", item, "".join(way[:2]) + "".join(s[0] for s in way[2:]))
    for item in draw.sample(of["region"][:11], 3) + draw.sample(of["camera"], 4) + draw.sample(of["forest_zone"], 4) + draw.sample(of["cell"], 4):
        add("code", item, item["code"])
    for item in draw.sample(of["building"], 6):
        add("building, pinyin", item, whole(item["name"]))
    for item in places[:16]:
        door("address", item, item["street"] + item["number"])
    for item in places[20:30]:
        door("address, no 号", item, (item["street"] + item["number"]).removesuffix("号"))
    for item in places[40:50]:
        door("address with district", item, item["district"].split("（")[0] + item["street"] + item["number"])
    for item in places[60:66]:
        door("address with city", item, "青岛市" + item["district"].split("（")[0] + item["street"] + item["number"])
    for item in places[70:78]:
        door("address, spaces", item, f"{item['district'].split('（')[0]} {item['street']} {item['number']}")
    for item in places[80:90]:
        door("address, pinyin", item, whole(item["street"]) + item["number"].removesuffix("号"))
    for item in places[100:112]:
        door("address, initials", item, initials(item["street"]) + item["number"].removesuffix("号"))
    for item in few[:6]:
        door("address, Chinese number", item, item["street"] + chinese(int(item["number"][:-1])) + "号")
    wrong = [(item, c) for item in draw.sample(streets, len(streets)) for c in item["name"] if c in HOMOPHONES and len(item["name"]) >= 4]
    for item, character in wrong[:8]:
        add("slip: sounds alike", item, item["name"].replace(character, HOMOPHONES[character], 1))
    for item in draw.sample([s for s in streets if len(s["name"]) >= 5], 6):
        add("slip: a character left out", item, item["name"][:1] + item["name"][2:])
    for item in draw.sample(streets, 8):
        keys = whole(item["name"])
        at = draw.randrange(2, len(keys) - 2)
        add("slip: a key left out", item, keys[:at] + keys[at + 1 :])
    for item in draw.sample(streets, 6):
        keys = whole(item["name"])
        at = draw.randrange(2, len(keys) - 3)
        add("slip: two keys swapped", item, keys[:at] + keys[at + 1] + keys[at] + keys[at + 2 :])
    for item in [p for p in places[120:] if p["street"][-1] == "路" and len(p["street"]) >= 3 and any(c in HOMOPHONES for c in p["street"][:-1])][:6]:
        character = next(c for c in item["street"] if c in HOMOPHONES)
        door("slip in an address", item, item["street"].replace(character, HOMOPHONES[character], 1) + item["number"])
    several = [n for n in plain + of["region"] if "|" in sounds(n["name"]) and n["kind"] in ("road", "region") and set(n["name"]) & set(READINGS)]
    for item in draw.sample(several, min(10, len(several))):
        add("read another way", item, "".join(readings(item["name"])[-1]))
    for spec in draw.sample([s for s in catalog() if s.deck is not None and s.kind != "raster"], 14):
        way = draw.choice(("title", "pinyin", "english"))
        asked.append(Question("layer", {"title": spec.title, "pinyin": whole(spec.title), "english": spec.title_en}[way], "layer", spec.title))
    return asked


async def more_addresses(connection: psycopg.AsyncConnection, wanted: int) -> int:
    """Adds house numbers on the demo's streets until there are `wanted` addresses; returns how many there are."""
    await connection.execute(
        """
        INSERT INTO search_addresses (street, number, ref, name, region_code, geom)
        SELECT a.street, extra.number || '号', 10000000 + row_number() OVER (), '', a.region_code, a.geom
        FROM (SELECT DISTINCT ON (street) * FROM search_addresses ORDER BY street) AS a,
            LATERAL (SELECT 5000 + n AS number FROM generate_series(1, greatest(0, 1 + (%(wanted)s - (SELECT count(*) FROM search_addresses))
                / (SELECT greatest(count(*), 1) FROM search_streets))::int) AS n) AS extra
        LIMIT greatest(0, %(wanted)s - (SELECT count(*) FROM search_addresses))
        """,
        {"wanted": wanted},
    )
    return (await rows(connection, "SELECT count(*) AS n FROM search_addresses"))[0]["n"]


async def copy_from(source: psycopg.AsyncConnection, target: psycopg.AsyncConnection) -> None:
    """The three tables, as they stand in the demo city."""
    for table in TABLES:
        found = await rows(source, "SELECT column_name FROM information_schema.columns WHERE table_name = %(table)s AND table_schema = 'public' ORDER BY column_name", {"table": table})
        columns = sql.SQL(", ").join(sql.Identifier(r["column_name"]) for r in found)
        name = sql.Identifier(table)
        async with source.cursor() as reading, target.cursor() as writing:
            async with reading.copy(sql.SQL("COPY {} ({}) TO STDOUT (FORMAT binary)").format(name, columns)) as out:
                async with writing.copy(sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(name, columns)) as into:
                    async for block in out:
                        await into.write(block)


async def measure(url: str, wanted: int, rounds: int) -> dict:
    """The figures, from a database made for this run and dropped after it."""
    name = f"hdq_bench_search_{secrets.token_hex(4)}"
    own = url.partition("?")[0].rsplit("/", 1)[0] + f"/{name}" + (f"?{url.partition('?')[2]}" if "?" in url else "")
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'").format(sql.Identifier(name)))
    try:
        await asyncio.to_thread(migrations.upgrade, own)
        source, target = await connect(url), await connect(own, autocommit=True)
        try:
            await copy_from(source, target)
            asked = await questions(target)
            total = await more_addresses(target, wanted)
            await target.execute("VACUUM ANALYZE search_names, search_streets, search_addresses")
            return await ask(target, asked, rounds) | {"addresses": total, "queries": len(asked)}
        finally:
            await source.close()
            await target.close()
    finally:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def ask(connection: psycopg.AsyncConnection, asked: list[Question], rounds: int) -> dict:
    """Asks every question, and every beginning of some as if they were typed; prints a table by sort and what was not found."""
    took: list[float] = []
    right: dict[str, list[bool]] = {}
    missed: list[str] = []
    await search.find(connection, CITY, "青岛", 8, catalog())
    for turn in range(rounds):
        for question in asked:
            began = time.perf_counter()
            hits = await search.find(connection, CITY, question.word, 8, catalog())
            took.append((time.perf_counter() - began) * 1000)
            if turn == 0:
                found = any(hit.kind == question.kind and hit.name == question.name for hit in hits[:3])
                right.setdefault(question.sort, []).append(found)
                if not found:
                    missed.append(f"{question.sort}: {question.word} -> {question.name}; got {[hit.name for hit in hits[:3]]}")
    keystrokes: list[float] = []
    for question in asked[::6]:
        for end in range(1, len(question.word) + 1):
            began = time.perf_counter()
            await search.find(connection, CITY, question.word[:end], 8, catalog())
            keystrokes.append((time.perf_counter() - began) * 1000)
    for sort, found in right.items():
        print(f"{sort:28} {sum(found):4} of {len(found)}")
    print("\n".join(["", *missed]))
    everything = [found for each in right.values() for found in each]
    return {
        "p95_ms": round(statistics.quantiles(took + keystrokes, n=20)[-1], 1),
        "p50_ms": round(statistics.median(took + keystrokes), 1),
        "max_ms": round(max(took + keystrokes), 1),
        "top3": round(sum(everything) / len(everything), 4),
    }


def main() -> None:
    """Prints the table and the figures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--addresses", type=int, default=300_000)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    url = os.environ.get("HDQ_DATABASE_URL")
    if not url:
        raise SystemExit("set HDQ_DATABASE_URL to a demo city (hdq up prints it)")
    print(json.dumps(asyncio.run(measure(url, given.addresses, given.rounds))))


if __name__ == "__main__":
    main()
