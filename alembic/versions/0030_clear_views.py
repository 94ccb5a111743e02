"""What cameras see past the ridges: their sectors clipped by the terrain model, where there is one.

Revision ID: 0030
Revises: 0029
"""

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE camera_clear_views (
            camera_id bigint PRIMARY KEY REFERENCES cameras (id) ON DELETE CASCADE,
            pose text NOT NULL,
            view geometry(MultiPolygon, 4326) NOT NULL
        )
        """
    )
    op.execute("COMMENT ON TABLE camera_clear_views IS 'What a camera sees clearly by the terrain model; pose is the hash of the pose it was made for, another pose makes it void'")


def downgrade() -> None:
    op.execute("DROP TABLE camera_clear_views")
