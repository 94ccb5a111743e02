"""Shadow statistics: what a candidate and the standing version said of the same frames, per camera and light.

Revision ID: 0043
Revises: 0042
"""

from alembic import op

revision = "0043"
down_revision = "0042"

UP = """
CREATE TABLE shadow_runs (
    rollout_id bigint NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
    camera_id bigint NOT NULL REFERENCES cameras (id) ON DELETE CASCADE,
    recorded_at timestamptz NOT NULL,
    condition text NOT NULL,
    agreed smallint NOT NULL,
    standing_only smallint NOT NULL,
    candidate_only smallint NOT NULL,
    PRIMARY KEY (rollout_id, camera_id, recorded_at)
);
COMMENT ON TABLE shadow_runs IS 'Frames on which a version on trial or the standing one said something: things both saw, and things that only one did';

CREATE TABLE shadow_tallies (
    rollout_id bigint NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
    camera_id bigint NOT NULL REFERENCES cameras (id) ON DELETE CASCADE,
    condition text NOT NULL,
    frames bigint NOT NULL,
    agreed bigint NOT NULL,
    standing_only bigint NOT NULL,
    candidate_only bigint NOT NULL,
    standing_ms double precision NOT NULL,
    candidate_ms double precision NOT NULL,
    PRIMARY KEY (rollout_id, camera_id, condition)
);
COMMENT ON TABLE shadow_tallies IS 'All frames that both versions of a trial examined, summed per camera and light; milliseconds are sums too';
"""

DOWN = """
DROP TABLE shadow_tallies, shadow_runs;
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
