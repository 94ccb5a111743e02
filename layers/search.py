"""Finding layers, places and addresses: by Chinese, pinyin, its initials or any mixture, by house number or code, in spite of a slip.

Names are asked in `search_names`; an address is a street and a number, asked in `search_streets` and `search_addresses`; layers of the catalogue are
matched in memory. Every question stands on an index; what comes back is a few dozen rows, ranked here.
"""

import re
from dataclasses import dataclass, replace

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

from grid.database import Scope
from grid.errors import InvalidInput
from layers.catalog import Catalog
from layers.names import fold, how, pairs, pattern, sounds, typed, whole
from layers.search_index import forget_dataset, index_dataset, rebuild, split, stale

__all__ = ["Hit", "find", "fold", "forget_dataset", "index_dataset", "rebuild", "stale"]

MAX_WORD = 64
_ZOOMS = {"region": 12.0, "cell": 16.0, "camera": 17.0, "building": 18.0, "forest_zone": 14.0, "road": 15.0, "coast": 14.0, "dataset": 16.0, "layer": 11.0}
_REGION_ZOOMS = {4: 9.5, 6: 11.5, 9: 13.5, 12: 15.0}
_ALIKE = 0.35
"""Least trigram similarity of a slip: one wrong, missing or swapped key in a word of two syllables stays above it."""

_COLUMNS = "kind, ref, name, folded, sounds, whole, code, detail, weight, region_code, ST_X(geom) AS lon, ST_Y(geom) AS lat"

# Short words match most of a city: each way to match is cut after some dozens, and what people most likely mean (weight from 3 up) has ways of its own.
_HAN = f"""
    WITH found AS (
        (SELECT * FROM search_names WHERE weight >= 3 AND region_code LIKE %(scope)s AND folded LIKE %(within)s ORDER BY weight DESC LIMIT 100)
        UNION (SELECT * FROM search_names WHERE region_code LIKE %(scope)s AND folded LIKE %(begins)s ORDER BY folded LIMIT 60)
        UNION (SELECT * FROM search_names WHERE region_code LIKE %(scope)s AND grams @> %(grams)s::text[] AND folded LIKE %(within)s LIMIT 200)
    ) SELECT {_COLUMNS} FROM found
"""
_KEYS = f"""
    WITH found AS (
        (SELECT * FROM search_names WHERE region_code LIKE %(scope)s AND code <> '' AND code LIKE %(keys)s ORDER BY weight DESC, code LIMIT 40)
        UNION (SELECT * FROM search_names WHERE region_code LIKE %(scope)s AND grams @> ARRAY[%(first)s::text] AND sounds ~ %(pattern)s ORDER BY weight DESC, length(name) LIMIT 80)
        UNION (SELECT * FROM search_names WHERE region_code LIKE %(scope)s AND grams @> ARRAY[%(inner)s::text] AND sounds ~ %(pattern)s ORDER BY weight DESC, length(name) LIMIT 80)
    ) SELECT {_COLUMNS} FROM found
"""
_SLIP = f"""
    SELECT {_COLUMNS} FROM search_names WHERE region_code LIKE %(scope)s AND whole %% %(whole)s
    ORDER BY similarity(whole, %(whole)s) DESC, weight DESC LIMIT 40
"""

_STREET_HAN = """
    (SELECT street, sounds, whole FROM search_streets WHERE street LIKE %(begins)s ORDER BY length(street), street LIMIT 40)
    UNION (SELECT street, sounds, whole FROM search_streets WHERE grams @> %(grams)s::text[] AND street LIKE %(within)s ORDER BY length(street), street LIMIT 40)
"""
_STREET_KEYS = """
    (SELECT street, sounds, whole FROM search_streets WHERE grams @> ARRAY[%(first)s::text] AND sounds ~ %(pattern)s ORDER BY length(street), street LIMIT 60)
    UNION (SELECT street, sounds, whole FROM search_streets WHERE grams @> ARRAY[%(inner)s::text] AND sounds ~ %(pattern)s ORDER BY length(street), street LIMIT 20)
"""
_STREET_SLIP = "SELECT street, sounds, whole FROM search_streets WHERE whole %% %(whole)s ORDER BY similarity(whole, %(whole)s) DESC LIMIT 12"
_ADDRESSES = """
    SELECT asked.street, found.* FROM unnest(%(streets)s::text[]) AS asked (street), LATERAL (
        SELECT number, ref, name, region_code, ST_X(geom) AS lon, ST_Y(geom) AS lat FROM search_addresses
        WHERE street = asked.street AND number LIKE %(number)s AND region_code LIKE %(scope)s ORDER BY length(number), number LIMIT 6
    ) AS found
"""
_NUMBERS = """
    SELECT street, number, ref, name, region_code, ST_X(geom) AS lon, ST_Y(geom) AS lat FROM search_addresses
    WHERE number LIKE %(number)s AND region_code LIKE %(scope)s LIMIT 60
"""
_REGIONS = "SELECT ref AS code, folded, sounds FROM search_names WHERE kind = 'region' AND length(ref) <= 9 AND (region_code LIKE %(scope)s OR starts_with(%(prefix)s, ref))"


@dataclass(frozen=True, slots=True)
class Hit:
    """What was found. `kind` layer, region, cell, camera, forest_zone, road, coast, building (also for addresses) or dataset; `ref` its id there
    (dataset/feature for datasets). A layer of the whole catalogue has no place: `lon` and `lat` are None."""

    kind: str
    ref: str
    name: str
    detail: str
    lon: float | None
    lat: float | None

    @property
    def zoom(self) -> float:
        """At which zoom it fills the screen well."""
        return _REGION_ZOOMS.get(len(self.ref), 12.0) if self.kind == "region" else _ZOOMS[self.kind]


@dataclass(slots=True)
class _Named:
    kind: str
    ref: str
    name: str
    folded: str
    sounds: str
    whole: str
    code: str
    detail: str
    weight: float
    region_code: str
    lon: float | None
    lat: float | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """One way to understand a word: what is looked for, in which part of the scope, and how sure that reading is (higher first among equals)."""

    word: str
    keys: str
    scope: Scope
    rank: int = 1


Ranked = tuple[tuple[float, ...], str, Hit]


async def find(connection: AsyncConnection, scope: Scope, word: str, limit: int = 8, catalog: Catalog | None = None) -> list[Hit]:
    """Layers, places and addresses of the scope that `word` means, best first: whole name, then its beginning, then a part, then what sounds alike.

    Empty finds nothing. `catalog`: its layers are searched too. Raises InvalidInput beyond 64 characters.
    """
    folded = fold(word)
    if len(folded) > MAX_WORD:
        raise InvalidInput(f"搜索词过长 · more than {MAX_WORD} characters: {len(folded)}", remedy="缩短搜索词 · shorten it")
    if not folded or not scope.prefix.isdigit():
        return []
    asked = [_Asked(folded, typed(folded), scope)]
    asked += await _narrowed(connection, asked[0])
    ranked: list[Ranked] = []
    for each in asked:
        ranked += await _names(connection, each) + await _addresses(connection, each, slips=False)
        if catalog is not None:
            ranked += _layers(catalog, each)
    if not any(key[0] >= 3 for key, _, _ in ranked):
        for each in asked:
            ranked += await _slips(connection, each) + await _addresses(connection, each, slips=True)
    found: dict[tuple[str, str], Hit] = {}
    for _, _, hit in sorted(ranked, key=lambda item: ([-part for part in item[0]], item[1], item[2].ref)):
        found.setdefault((hit.kind, hit.ref), hit)
    apart: dict[tuple[str, str, str], Hit] = {}
    for hit in found.values():
        apart.setdefault((hit.kind, hit.name, hit.detail), hit)
    return list(apart.values())[:limit]


async def _narrowed(connection: AsyncConnection, asked: _Asked) -> list[_Asked]:
    """The same word without the names of regions it begins with, inside the last of them; and without its spaces."""
    found: list[_Asked] = []
    joined = asked.word.replace(" ", "")
    if joined != asked.word and not asked.keys:
        found.append(replace(asked, word=joined))
    if " " not in asked.word and (asked.keys or len(asked.word) < 5):
        return found
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_REGIONS, {"scope": asked.scope.like, "prefix": asked.scope.prefix})
        regions = await cursor.fetchall()
    rest, code = asked.word, ""
    for _ in range(3):
        best: tuple[int, str, str] | None = None
        first, _, after = rest.partition(" ")
        for region in regions:
            for name in _short(region["folded"], region["code"]):
                left = rest[len(name) :].strip() if rest.startswith(name) else None
                if left and (best is None or len(left) < best[0]):
                    best = (len(left), left, region["code"])
            if asked.keys and after and how(first, region["sounds"]) == 3 and len(first) >= 2 and best is None:
                best = (len(after), after, region["code"])
        if best is None:
            break
        rest, code = best[1], best[2] if best[2].startswith(code) or not code else code
    if code and len(rest) >= 2:
        narrow = Scope(code) if asked.scope.covers(code) else asked.scope
        found.append(_Asked(rest.replace(" ", ""), typed(rest), narrow, rank=2))
    return found


def _short(name: str, code: str) -> tuple[str, ...]:
    """How a region is called: in full, and the city and districts without 市 or 区."""
    plain = re.sub(r"[（(].*$", "", name)
    return tuple(dict.fromkeys((name, plain, plain[:-1] if len(code) <= 6 and len(plain) > 2 else plain)))


def _like(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


async def _ask(connection: AsyncConnection, query: str, params: dict) -> list[_Named]:
    async with connection.cursor(row_factory=class_row(_Named)) as cursor:
        await cursor.execute(query, params, prepare=False)
        return await cursor.fetchall()


async def _names(connection: AsyncConnection, asked: _Asked) -> list[Ranked]:
    found = await _ask(
        connection, _HAN, {"scope": asked.scope.like, "within": f"%{_like(asked.word)}%", "begins": f"{_like(asked.word)}%", "grams": pairs(asked.word)}
    )
    if asked.keys:
        found += await _ask(connection, _KEYS, {"scope": asked.scope.like, "keys": f"{asked.keys}%", **_beginning(asked.keys)})
    return [_ranked(named, _tier(asked, named.folded, named.sounds, named.code), asked) for named in found]


def _beginning(keys: str) -> dict[str, str | None]:
    return {"pattern": pattern(keys), "first": f"^{keys[:3]}", "inner": f"~{keys[:3]}" if len(keys) > 1 else None}


async def _slips(connection: AsyncConnection, asked: _Asked) -> list[Ranked]:
    """What sounds nearly like the word; whole words only, for a slip in three keys is any word."""
    sound = asked.keys or whole(asked.word)
    if len(sound) < 4:
        return []
    found = await _ask(connection, _SLIP, {"scope": asked.scope.like, "whole": sound})
    return [_ranked(named, 2 * near, asked) for named in found if (near := _alike(sound, named.whole)) >= _ALIKE]


def _tier(asked: _Asked, folded: str, sound: str, code: str = "") -> float:
    """6 the whole name or code, 5 its sound, 4 its beginning, 3.5 the beginning of its sound, 3 a part, 2.5 a part of its sound."""
    if asked.word == folded or (asked.keys and asked.keys == code):
        return 6.0
    said = how(asked.keys, sound) if asked.keys else 0
    if said == 3:
        return 5.0
    if folded.startswith(asked.word) or (asked.keys and code.startswith(asked.keys)):
        return 4.0
    if said == 2:
        return 3.5
    return 3.0 if asked.word in folded else 2.5 if said else 0.0


def _ranked(named: _Named, tier: float, asked: _Asked) -> Ranked:
    hit = Hit(named.kind, named.ref, named.name, named.detail, named.lon, named.lat)
    return (tier, float(asked.rank), named.weight, -float(len(named.name))), named.name, hit


def _alike(left: str, right: str) -> float:
    """Similarity of two words by their edits, 1 for the same: what decides among those that share enough trigrams."""
    if not left or not right:
        return 0.0
    before = list(range(len(right) + 1))
    earlier: list[int] = []
    for i, a in enumerate(left, 1):
        row = [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        earlier, before = before, row
    return 1 - before[-1] / max(len(left), len(right))


async def _addresses(connection: AsyncConnection, asked: _Asked, *, slips: bool) -> list[Ranked]:
    """House numbers of the streets that the word begins with. `slips`: of streets that only sound alike."""
    street, number = _house(asked)
    if not street:
        if slips or not number or not number[0].isdigit() or "号" not in number:
            return []
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_NUMBERS, {"number": f"{_like(number)}%", "scope": asked.scope.like})
            return [_address(row, 3.0, number, asked) for row in await cursor.fetchall()]
    keys = typed(street)
    part = replace(asked, word=street, keys=keys)
    if slips:
        sound = keys or whole(street)
        query, params = _STREET_SLIP, {"whole": sound}
        if len(sound) < 4:
            return []
    elif keys:
        query, params = _STREET_KEYS, _beginning(keys)
    else:
        query, params = _STREET_HAN, {"begins": f"{_like(street)}%", "within": f"%{_like(street)}%", "grams": pairs(street)}
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, params, prepare=False)
        tiers = {
            row["street"]: 2 * _alike(keys or whole(street), row["whole"]) if slips else _tier(part, row["street"], row["sounds"]) for row in await cursor.fetchall()
        }
        best = sorted(tiers, key=lambda name: (-tiers[name], len(name), name))[:24]
        if not best:
            return []
        await cursor.execute(_ADDRESSES, {"streets": best, "number": f"{_like(number)}%", "scope": asked.scope.like})
        return [_address(row, tiers[row["street"]], number, asked) for row in await cursor.fetchall()]


def _house(asked: _Asked) -> tuple[str, str]:
    """Street and number of a word; for keys, the number is the last digits with an h or hao behind them, which is no part of it."""
    if asked.keys:
        found = re.fullmatch(r"([a-z0-9]*?[a-z])(\d{1,5})(?:h|ha|hao)?", asked.keys)
        return (found[1], found[2]) if found else (asked.keys, "") if not asked.keys.isdigit() else ("", "")
    word = digits(asked.word.replace(" ", ""))
    if re.match(r"\d", word):
        return "", word
    return split(word)


def digits(word: str) -> str:
    """House numbers written in Chinese, as digits.

    >>> digits("香港中路十二号"), digits("洪泽湖三路四十八号"), digits("延安三路")
    ('香港中路12号', '洪泽湖三路48号', '延安三路')
    """

    def number(found: re.Match[str]) -> str:
        text, total = found[1], 0
        for value, unit in re.findall(r"([一二三四五六七八九两]?)([百十]|$|(?=零))", text.replace("零", "")):
            one = "零一二三四五六七八九".find(value.replace("两", "二")) if value else int(bool(unit))
            total += one * {"百": 100, "十": 10}.get(unit, 1)
        return f"{total}号" if total else found[0]

    return re.sub(r"([一二三四五六七八九两百十零]{1,6})号", number, word)


def _address(row: dict, tier: float, number: str, asked: _Asked) -> Ranked:
    """A number that was asked for and is there lifts its street: 香港中路12号 before 香港中路一号 123."""
    bare = re.match(r"\d*", row["number"])[0]
    exact = bool(number) and (row["number"] == number or bare == number.removesuffix("号"))
    rank = (tier if tier < 3 or not number else tier + (0.4 if exact else -0.5)) if number else min(tier, 3.0) - 0.1
    name = row["street"] + row["number"]
    hit = Hit("building", str(row["ref"]), name, row["name"], row["lon"], row["lat"])
    return (rank, float(asked.rank), 1.2 if exact else 1.0, -float(len(name))), name, hit


def _layers(catalog: Catalog, asked: _Asked) -> list[Ranked]:
    """Layers whose title, in either language, is meant; a part of it is enough to put the layer of a whole register before a question asked of it."""
    found: list[Ranked] = []
    for spec in catalog:
        if spec.deck is None:
            continue
        title, english = fold(spec.title), fold(spec.title_en)
        tier = max(_tier(asked, title, _title_sounds(title)), _tier(replace(asked, keys=""), english, ""), 0.0)
        if tier >= 2.5 and (len(asked.word) > 1 or tier >= 4):
            whole_register = spec.id not in catalog.families
            lifted = tier + 1.0 if whole_register and tier < 4 else tier
            hit = Hit("layer", spec.id, spec.title, spec.title_en, None, None)
            found.append(((lifted, float(asked.rank), 3.2 if whole_register else 2.9, -float(len(title))), title, hit))
    return found


_SOUNDS: dict[str, str] = {}


def _title_sounds(title: str) -> str:
    if title not in _SOUNDS:
        _SOUNDS[title] = sounds(title)
    return _SOUNDS[title]
