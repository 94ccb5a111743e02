"""Tables and views of another PostGIS: read-only, one server-side cursor, the frame by the SRID of the geometry column.

Address: postgresql://host[:port]/database, without a user; the secret is `user:password`. Collections are `schema.table`.
"""

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import orjson
import psycopg
from psycopg import Connection, sql

from grid.errors import InvalidInput, NotFound, Unavailable
from layers.connecting.axes import named
from layers.connecting.door import Door
from layers.connecting.spec import Ask, Collection, Page

_COLUMNS = """
    SELECT g.f_table_schema AS schema, g.f_table_name AS name, g.f_geometry_column AS shape, g.srid, greatest(c.reltuples, 0)::bigint AS about
    FROM geometry_columns AS g
    JOIN pg_class AS c ON c.oid = format('%I.%I', g.f_table_schema, g.f_table_name)::regclass
    WHERE has_table_privilege(c.oid, 'SELECT') AND g.f_table_schema NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 1, 2, 3
"""


class PostgreSql:
    """A PostGIS of 3.0 or later; of a table with several geometries the first is read."""

    kind = "postgresql"
    title = "PostgreSQL / PostGIS"
    title_en = "PostgreSQL / PostGIS"
    schemes = {"postgresql": 5432}

    def collections(self, address: str, door: Door) -> list[Collection]:
        """Tables and views with a geometry that the account may read; the number of rows as the planner estimates it."""
        with _connected(address, door) as connection:
            try:
                found = {f"{schema}.{name}": (srid, about) for schema, name, _, srid, about in reversed(connection.execute(_COLUMNS).fetchall())}
            except psycopg.Error as failure:
                raise _refused(failure) from failure
        return [Collection(name, name, f"EPSG:{srid}" if srid else None, about or None) for name, (srid, about) in sorted(found.items())]

    def pages(self, ask: Ask, door: Door) -> Iterator[Page]:
        """Rows in one snapshot, so many at a time."""
        with _connected(ask.address, door) as connection:
            try:
                shape, srid, columns = _table(connection, ask.collection)
                frame, _ = named(f"EPSG:{srid}") if srid else (None, False)
                schema, _, table = ask.collection.partition(".")
                if frame is None:
                    raise InvalidInput(f"{ask.collection} 的几何列没有 SRID · the geometry of {ask.collection} has no SRID", remedy="在来源用 UpdateGeometrySRID 声明 · declare it at the source with UpdateGeometrySRID")
                asked = sql.SQL("SELECT ST_AsGeoJSON(ST_CurveToLine({shape}), 15, 0), (SELECT to_jsonb(r) FROM (SELECT {columns}) AS r)::text FROM {table} AS t").format(
                    shape=sql.Identifier("t", shape), columns=sql.SQL(", ").join(sql.Identifier("t", name) for name in columns), table=sql.Identifier(schema, table)
                )
                with connection.cursor(name="hdq_connector") as cursor:
                    cursor.itersize = ask.page_size
                    cursor.execute(asked)
                    while rows := cursor.fetchmany(ask.page_size):
                        door.remaining_s()
                        door.spend(sum(len(shape_text or "") + len(properties) for shape_text, properties in rows))
                        yield Page(frame, [_feature(shape_text, properties) for shape_text, properties in rows])
            except psycopg.Error as failure:
                raise _refused(failure) from failure


def _feature(shape: str | None, properties: str) -> dict:
    try:
        geometry = None if shape is None else orjson.loads(shape)
    except ValueError:  # NaN and Infinity, which PostGIS prints bare: a row without a place, reported by its number
        geometry = None
    return {"type": "Feature", "geometry": geometry, "properties": orjson.loads(properties)}


def _connected(address: str, door: Door) -> Connection:
    """A read-only connection in one snapshot. Raises InvalidInput, Unavailable; no message holds the account."""
    parts = urlsplit(address)
    database = unquote(parts.path.lstrip("/"))
    if parts.query or not database or "/" in database or "=" in database or "," in parts.netloc:
        raise InvalidInput("地址须为 postgresql://主机[:端口]/数据库 · the address is postgresql://host[:port]/database", remedy="不带参数；账号放在口令里 · no parameters; the account is in the secret")
    user, _, password = (door.secret or "").partition(":")
    if not user:
        raise InvalidInput("PostgreSQL 连接需要口令 · a PostgreSQL connection needs a secret", remedy="HDQ_CONNECTOR_SECRET_名称=用户:密码 · HDQ_CONNECTOR_SECRET_NAME=user:password")
    milliseconds = round(door.remaining_s() * 1000)
    try:
        connection = psycopg.connect(
            host=parts.hostname,
            port=parts.port or 5432,
            dbname=database,
            user=user,
            password=password or "",
            passfile="/dev/null/none",
            connect_timeout=round(max(2, door.limits.silent_s)),
            application_name="haidongqing-connector",
            options=f"-c default_transaction_read_only=on -c statement_timeout={milliseconds} -c search_path=public -c lock_timeout=10000",
        )
    except psycopg.Error as failure:
        raise Unavailable(f"数据库没有应答或拒绝登录 · the database does not answer, or refuses the account: {parts.hostname}:{parts.port or 5432}/{database} ({type(failure).__name__})", remedy="检查网络、数据库名与口令名称 · check the line, the database's name and the secret") from failure
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return connection


def _table(connection: Connection, collection: str) -> tuple[str, int, list[str]]:
    """The geometry column, its SRID (0: none) and the other columns. Raises NotFound."""
    for schema, name, shape, srid, _ in connection.execute(_COLUMNS).fetchall():
        if f"{schema}.{name}" == collection:
            columns = connection.execute(
                """
                SELECT attname FROM pg_attribute
                WHERE attrelid = format('%%I.%%I', %(schema)s::text, %(name)s::text)::regclass AND attnum > 0 AND NOT attisdropped
                    AND format_type(atttypid, NULL) NOT IN ('geometry', 'geography', 'raster', 'bytea')
                ORDER BY attnum
                """,
                {"schema": schema, "name": name},
            ).fetchall()
            return shape, srid, [column for (column,) in columns]
    raise NotFound(f"没有可读的空间表 · no readable spatial table {collection[:120]!r}", remedy="写作 模式.表名；先检查连接 · schema.table; check the connection: it lists them")


def _refused(failure: psycopg.Error) -> InvalidInput | Unavailable:
    first = str(failure).splitlines()[0][:160] if str(failure) else type(failure).__name__
    if isinstance(failure, psycopg.OperationalError):
        return Unavailable(f"数据库中断或超时 · the database broke off or timed out: {first}", remedy="稍后再试 · later")
    return InvalidInput(f"数据库拒绝 · the database refuses: {first}", remedy="检查集合与权限 · check the collection and the account's rights")


CONNECTOR = PostgreSql()
