"""Originals of evidence stay sealed: who asked to see one, why, who else allowed it, until when, how often it was opened.

Revision ID: 0032
Revises: 0031
"""

from alembic import op

revision = "0032"
down_revision = "0031"

UP = """
CREATE TABLE unsealings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256 text NOT NULL REFERENCES evidence (sha256),
    reason text NOT NULL CHECK (length(reason) BETWEEN 10 AND 1000),
    minutes integer NOT NULL CHECK (minutes BETWEEN 1 AND 1440),
    region_code text NOT NULL,
    asked_by bigint NOT NULL REFERENCES staff (id),
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    decided_by bigint REFERENCES staff (id) CHECK (decided_by <> asked_by),
    decided_at timestamptz,
    approved boolean,
    note text NOT NULL DEFAULT '',
    expires_at timestamptz,
    opened integer NOT NULL DEFAULT 0,
    CHECK ((decided_by IS NULL) = (approved IS NULL)),
    CHECK (approved IS NOT TRUE OR expires_at IS NOT NULL)
);
CREATE INDEX ON unsealings (region_code text_pattern_ops, id DESC);
COMMENT ON TABLE unsealings IS 'Sealed originals: asked for with a reason, allowed by a second person, opened by the asker until it expires; each step audited';
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql("DROP TABLE unsealings")
