"""Files that are sent in parts.

Revision ID: 0018
Revises: 0017
"""

from alembic import op

revision = "0018"
down_revision = "0017"

UP = """
CREATE TABLE uploads (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    created_by bigint NOT NULL REFERENCES staff (id),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE uploads IS 'Files being sent in parts; what has arrived lies in data_dir/datasets/.part-ID and its size is the offset';
CREATE INDEX ON uploads (created_by);
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql("DROP TABLE uploads")
