"""Tables that are drawn from memory tell where they were edited, whoever edits them.

Revision ID: 0012
Revises: 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"

TABLES = ("buildings", "roads", "parcels", "permits", "forest_zones", "setbacks", "coastline")

FUNCTION = """
CREATE FUNCTION hdq_edited() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed bigint := 0;
    boxes jsonb;
    shapes geometry[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT count(*) INTO changed FROM edited_new;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT count(*) INTO changed FROM edited_old;
    ELSIF TG_OP = 'UPDATE' THEN
        SELECT count(*) INTO changed FROM edited_new;
    END IF;
    IF TG_OP <> 'TRUNCATE' AND changed = 0 THEN
        RETURN NULL;
    END IF;
    IF changed BETWEEN 1 AND 2000 AND TG_TABLE_NAME <> 'permits' THEN
        IF TG_OP <> 'DELETE' THEN
            SELECT array_agg(geom) INTO shapes FROM edited_new;
        END IF;
        IF TG_OP <> 'INSERT' THEN
            SELECT shapes || array_agg(geom) INTO shapes FROM edited_old;
        END IF;
        SELECT CASE WHEN count(*) <= 12 THEN jsonb_agg(jsonb_build_array(floor(ST_XMin(box)), floor(ST_YMin(box)), ceil(ST_XMax(box)), ceil(ST_YMax(box)))) END INTO boxes
        FROM (
            SELECT ST_Extent(shape) AS box
            FROM (SELECT ST_Transform(given, 3857) AS shape FROM unnest(shapes) AS given) AS projected
            GROUP BY floor(ST_XMin(shape) / 1000), floor(ST_YMin(shape) / 1000)
        ) AS near;
    END IF;
    PERFORM pg_notify('hdq_edits', jsonb_build_object('table', TG_TABLE_NAME, 'boxes', boxes)::text);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION hdq_edited IS 'Tells on channel hdq_edits which table a statement edited and in which boxes (EPSG:3857, metres outwards; null: anywhere): servers forget only the tiles there';
"""

TRIGGERS = """
CREATE TRIGGER edited_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS edited_new FOR EACH STATEMENT EXECUTE FUNCTION hdq_edited();
CREATE TRIGGER edited_update AFTER UPDATE ON {table} REFERENCING OLD TABLE AS edited_old NEW TABLE AS edited_new FOR EACH STATEMENT EXECUTE FUNCTION hdq_edited();
CREATE TRIGGER edited_delete AFTER DELETE ON {table} REFERENCING OLD TABLE AS edited_old FOR EACH STATEMENT EXECUTE FUNCTION hdq_edited();
CREATE TRIGGER edited_truncate AFTER TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION hdq_edited();
"""


def upgrade() -> None:
    run = op.get_bind().execution_options(no_parameters=True).exec_driver_sql
    run(FUNCTION)
    for table in TABLES:
        run(TRIGGERS.format(table=table))


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql("DROP FUNCTION hdq_edited CASCADE")
