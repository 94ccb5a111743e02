"""What is derived from scenes, and what drones saw, as STAC items of their own; analyses that are no pair of scenes, and what they find.

Revision ID: 0041
Revises: 0039
"""

from alembic import op

revision = "0041"
down_revision = "0039"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE stac_items (
            id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,159}$'),
            collection text NOT NULL CHECK (collection IN ('hdq-masks', 'hdq-results', 'drone-frames')),
            title text NOT NULL DEFAULT '',
            taken_at timestamptz NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            derived_from text[] NOT NULL DEFAULT '{}',
            file text,
            sha256 text,
            properties jsonb NOT NULL DEFAULT '{}',
            region_code text NOT NULL,
            simulated boolean NOT NULL DEFAULT false,
            geom geometry(Polygon, 4326) NOT NULL CHECK (hdq_sound(geom))
        )
        """
    )
    op.execute(
        "COMMENT ON TABLE stac_items IS 'Masks and results that link the scenes they come from (derived_from), and frames of drones; file is relative to data_dir/scenes, null where rows of other tables are the result'"
    )
    op.execute("CREATE INDEX ON stac_items USING gist (geom)")
    op.execute("CREATE INDEX ON stac_items USING gin (derived_from)")
    op.execute("CREATE INDEX ON stac_items (collection, taken_at DESC)")
    op.execute(
        """
        CREATE TABLE studies (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            kind text NOT NULL,
            version text NOT NULL,
            scenes text[] NOT NULL DEFAULT '{}',
            dataset_id text,
            parameters jsonb NOT NULL DEFAULT '{}',
            state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
            progress real NOT NULL DEFAULT 0,
            error text,
            result jsonb NOT NULL DEFAULT '{}',
            region_code text NOT NULL,
            created_by bigint REFERENCES staff (id),
            created_at timestamptz NOT NULL DEFAULT now(),
            finished_at timestamptz,
            UNIQUE NULLS NOT DISTINCT (kind, version, scenes, dataset_id, parameters, region_code)
        )
        """
    )
    op.execute("COMMENT ON TABLE studies IS 'Runs of analyses that are no pair of scenes: volumes, objects, footprints without permit, crops; result holds their figures'")
    op.execute(
        """
        CREATE TABLE study_features (
            study_id bigint NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
            number integer NOT NULL,
            class text NOT NULL,
            properties jsonb NOT NULL DEFAULT '{}',
            observation_id bigint REFERENCES observations (id) ON DELETE SET NULL,
            region_code text NOT NULL,
            simulated boolean NOT NULL DEFAULT false,
            geom geometry(Geometry, 4326) NOT NULL CHECK (hdq_sound(geom)),
            PRIMARY KEY (study_id, number)
        )
        """
    )
    op.execute("COMMENT ON TABLE study_features IS 'What a study found, each with its class, its figures and, where it is a finding, the observation it became'")
    op.execute("CREATE INDEX ON study_features USING gist (geom)")


def downgrade() -> None:
    op.execute("DROP TABLE study_features")
    op.execute("DROP TABLE studies")
    op.execute("DROP TABLE stac_items")
