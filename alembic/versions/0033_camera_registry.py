"""The register of cameras: whose, what for, how long kept, presets; a reference view that tells whether one was moved or stands in a wrong pose.

Revision ID: 0033
Revises: 0032
"""

from alembic import op

revision = "0033"
down_revision = "0032"

UP = """
ALTER TABLE cameras
    ADD COLUMN owner text NOT NULL DEFAULT '' CHECK (length(owner) <= 120),
    ADD COLUMN purpose text NOT NULL DEFAULT '' CHECK (length(purpose) <= 200),
    ADD COLUMN retention_days integer NOT NULL DEFAULT 30 CHECK (retention_days BETWEEN 1 AND 3650),
    ADD COLUMN lens_mm real CHECK (lens_mm > 0),
    DROP CONSTRAINT cameras_state_check,
    ADD CONSTRAINT cameras_state_check CHECK (state IN ('online', 'offline', 'frozen', 'blurred', 'dark', 'moved', 'wrong_pose'));

CREATE TABLE camera_presets (
    camera_id bigint NOT NULL REFERENCES cameras (id) ON DELETE CASCADE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
    azimuth_deg real NOT NULL CHECK (azimuth_deg >= 0 AND azimuth_deg < 360),
    pitch_deg real NOT NULL CHECK (pitch_deg BETWEEN -90 AND 90),
    hfov_deg real NOT NULL CHECK (hfov_deg > 0 AND hfov_deg < 180),
    PRIMARY KEY (camera_id, name)
);
COMMENT ON TABLE camera_presets IS 'Poses that a pan-tilt-zoom camera can be sent to; the first by name is where it should stand';

CREATE TABLE camera_references (
    camera_id bigint PRIMARY KEY REFERENCES cameras (id) ON DELETE CASCADE,
    thumb bytea NOT NULL,
    taken_at timestamptz NOT NULL,
    away smallint NOT NULL DEFAULT 0
);
COMMENT ON TABLE camera_references IS 'A small grey picture (160×96) of what a camera sees from its pose; away: pictures in a row that were displaced from it';
"""

DOWN = """
DROP TABLE camera_references, camera_presets;
UPDATE cameras SET state = 'moved' WHERE state = 'wrong_pose';
ALTER TABLE cameras
    DROP COLUMN owner, DROP COLUMN purpose, DROP COLUMN retention_days, DROP COLUMN lens_mm,
    DROP CONSTRAINT cameras_state_check,
    ADD CONSTRAINT cameras_state_check CHECK (state IN ('online', 'offline', 'frozen', 'blurred', 'dark', 'moved'));
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
