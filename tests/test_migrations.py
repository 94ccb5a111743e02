"""The schema's history: forwards, all the way back, forwards again, and the same in the end."""

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.script import ScriptDirectory
from psycopg import sql
from psycopg.types.json import Jsonb

from gis_api import migrations

EVERYTHING = """
SELECT 'column', table_name, column_name, data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') || ' ' || is_generated
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'function', proname, oidvectortypes(proargtypes), md5(prosrc) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
UNION ALL SELECT 'type', typname, '', '' FROM pg_type
    WHERE typnamespace = 'public'::regnamespace AND typtype = 'e' AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_type.oid AND deptype = 'e')
"""


def described(url: str) -> set[tuple]:
    with psycopg.connect(url) as connection:
        return set(connection.execute(EVERYTHING).fetchall())


@pytest.fixture
def empty_url(admin_url: str, database_url: str):
    """A database with nothing in it, beside the migrated one."""
    name = database_url.partition("?")[0].rsplit("/", 1)[1] + "_empty"
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'").format(sql.Identifier(name)))
    yield database_url.replace(name.removesuffix("_empty"), name)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_up_down_up_gives_the_same_schema(empty_url):
    migrations.upgrade(empty_url)
    first = described(empty_url)
    migrations.downgrade(empty_url)
    left = {(kind, name) for kind, name, *_ in described(empty_url) if name not in ("alembic_version", "spatial_ref_sys", "geometry_columns", "geography_columns")}
    assert left == set()
    migrations.upgrade(empty_url)
    assert described(empty_url) == first


def test_verdicts_in_older_words_are_put_into_todays(empty_url):
    migrations.upgrade(empty_url, "0024")
    lines = [{"layer": "parcels", "verdict": verdict, "text": verdict} for verdict in ("lawful", "unlawful", "context")]
    with psycopg.connect(empty_url) as connection:
        connection.execute(
            """
            INSERT INTO alerts (kind, title, title_en, severity, probability, rule_id, rule_version, legality, region_code, accuracy_m, first_seen_at, last_seen_at, geom)
            SELECT 'construction', 't', 't', 3, 0.5, 'construction', '1', legality, '3702', 10, now(), now(), ST_Point(120.4, 36.1, 4326)
            FROM (VALUES (%s::jsonb), ('[]'::jsonb)) AS given (legality)
            """,
            [Jsonb(lines)],
        )
    migrations.upgrade(empty_url)
    with psycopg.connect(empty_url) as connection:
        stored, none = (legality for (legality,) in connection.execute("SELECT legality FROM alerts ORDER BY id"))
    assert [line["verdict"] for line in stored] == ["lawful", "suspect", "context"] and [line["text"] for line in stored] == ["lawful", "unlawful", "context"]
    assert none == []


def test_there_is_one_head_and_every_table_has_a_comment(database_url):
    head = migrations.head()
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (head,)
        silent = connection.execute(
            """
            SELECT relname FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND obj_description(oid) IS NULL
                AND relname NOT LIKE 'procrastinate%%' AND relname NOT IN ('alembic_version', 'spatial_ref_sys')
            """
        ).fetchall()
    assert silent == []


def test_the_newest_revision_is_read_as_alembic_reads_it(database_url):
    assert migrations.head() == ScriptDirectory.from_config(migrations.configuration("")).get_current_head()
    assert migrations.applied(database_url) == migrations.head()


def test_the_tables_refuse_what_is_no_place_on_earth(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        for text in ("POINT(NaN 36)", "POINT(Infinity 36)", "POINT(36 120.4)", "POINT(40534467 3993055)", "POINT EMPTY"):
            with pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.InternalError_)):
                connection.execute(
                    "INSERT INTO evidence (sha256, kind, media_type, bytes, region_code, geom) VALUES (repeat('a', 64), 'photo', 'image/jpeg', 1, '3702', ST_GeomFromText(%s, 4326))", [text]
                )


@pytest.mark.parametrize(
    ("shape", "sound"),
    [
        ("ST_Point(120.4, 36.1, 4326)", True),
        ("ST_Point(180, -90, 4326)", True),
        ("ST_MakeEnvelope(-180, -90, 180, 90, 4326)", True),
        ("NULL::geometry", True),
        ("ST_Point(120.4, 36.1, 4490)", False),
        ("ST_Point(180.001, 36.1, 4326)", False),
        ("ST_Point(36.1, 120.4, 4326)", False),
        ("ST_Point('NaN', 36.1, 4326)", False),
        ("ST_Point(120.4, 'NaN', 4326)", False),
        ("ST_Point('Infinity', 36.1, 4326)", False),
        ("ST_Point(120.4, '-Infinity', 4326)", False),
        ("ST_SetSRID(ST_MakeLine(ST_Point(120, 36), ST_Point(120, 91)), 4326)", False),
        ("'SRID=4326;POINT EMPTY'::geometry", False),
        ("'SRID=4326;POLYGON EMPTY'::geometry", False),
    ],
)
def test_the_database_itself_refuses_places_that_cannot_be(database_url: str, shape: str, sound: bool) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute(f"SELECT hdq_sound({shape})").fetchone() == (sound,)


def test_what_is_written_while_the_months_are_made_is_in_them(empty_url):
    migrations.upgrade(empty_url, "0046")
    insert = """
        INSERT INTO observations (source, source_event_id, sensor_kind, kind, score, recorded_at, accuracy_m, region_code, geom)
        VALUES ('s', %s, 'camera', 'smoke', 0.5, %s, 5, '3702', ST_Point(120.4, 36.1, 4326))
    """
    with psycopg.connect(empty_url) as writer:
        writer.execute(insert, ["a", "2001-01-01"])
        writer.commit()
        writer.execute(insert, ["b", "now"])
        with ThreadPoolExecutor(1) as apart:
            moving = apart.submit(migrations.upgrade, empty_url, "0047")
            with psycopg.connect(empty_url, autocommit=True) as onlooker:
                while not onlooker.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'observations'::regclass").fetchone():
                    assert not moving.done(), "it did not wait for the writer"
                    time.sleep(0.02)
            writer.commit()
            moving.result(60)
        assert writer.execute("SELECT source_event_id FROM observations ORDER BY id").fetchall() == [("a",), ("b",)]
        first = writer.execute("SELECT max(id) FROM observations").fetchone()[0]
        assert writer.execute(insert + " RETURNING id", ["c", "now"]).fetchone()[0] > first
