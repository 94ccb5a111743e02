"""Patches that live on: a state, a history of outlines with who and why, and every finding that saw them.

Revision ID: 0026
Revises: 0025
"""

from alembic import op

revision = "0026"
down_revision = "0025"

UP = """
ALTER TABLE patches DROP CONSTRAINT patches_survey_id_number_key;
ALTER TABLE patches
    ADD COLUMN state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'confirmed', 'dismissed', 'split', 'merged')),
    ADD COLUMN first_survey_id bigint REFERENCES surveys (id) ON DELETE SET NULL,
    ADD COLUMN found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN answered_at timestamptz,
    ADD COLUMN version integer NOT NULL DEFAULT 1,
    ADD COLUMN parents bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN case_id bigint REFERENCES cases (id) ON DELETE SET NULL,
    ADD COLUMN decision_id bigint REFERENCES decisions (id) ON DELETE SET NULL;
COMMENT ON TABLE patches IS 'Changed polygons 图斑, one per place and kind however many surveys saw it: survey_id the one with the newest picture, first_survey_id the one with the oldest; parents: what it was cut from or joined of; area geodesic';
UPDATE patches SET first_survey_id = survey_id, found_at = coalesce(surveys.finished_at, surveys.created_at) FROM surveys WHERE surveys.id = patches.survey_id;
CREATE INDEX patches_of_survey ON patches (survey_id, number);
CREATE INDEX patches_of_observation ON patches (observation_id);
CREATE INDEX patches_by_state ON patches (state, found_at);
CREATE INDEX patches_by_region ON patches (region_code text_pattern_ops);

CREATE TABLE patch_observations (
    patch_id bigint NOT NULL REFERENCES patches (id) ON DELETE CASCADE,
    observation_id bigint NOT NULL REFERENCES observations (id) ON DELETE CASCADE,
    PRIMARY KEY (patch_id, observation_id)
);
COMMENT ON TABLE patch_observations IS 'Every finding that saw a patch, beside the newest that stands on the patch itself';
CREATE INDEX ON patch_observations (observation_id);

CREATE TABLE patch_steps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patch_id bigint NOT NULL REFERENCES patches (id) ON DELETE CASCADE,
    action text NOT NULL CHECK (action IN ('found', 'grown', 'seen', 'absorbed', 'split', 'cut', 'merged', 'joined', 'redrawn', 'confirmed', 'dismissed', 'reopened')),
    survey_id bigint REFERENCES surveys (id) ON DELETE CASCADE,
    staff_id bigint REFERENCES staff (id),
    reason text NOT NULL DEFAULT '',
    related bigint[] NOT NULL DEFAULT '{}',
    area_m2 double precision NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    geom geometry(MultiPolygon, 4326) CHECK (geom IS NULL OR hdq_sound(geom))
);
COMMENT ON TABLE patch_steps IS 'What became of a patch, append only: its outline after the step (null: unchanged), who, why; survey_id: the survey that saw it; related: the other patches of a cut or a join';
CREATE INDEX ON patch_steps (patch_id, id);
CREATE INDEX ON patch_steps (survey_id);
INSERT INTO patch_steps (patch_id, action, survey_id, area_m2, at, geom) SELECT id, 'found', survey_id, area_m2, found_at, geom FROM patches;

CREATE VIEW alert_patches AS
SELECT o.alert_id, p.id AS patch_id FROM observations AS o JOIN patches AS p ON p.observation_id = o.id WHERE o.alert_id IS NOT NULL
UNION ALL
SELECT o.alert_id, s.patch_id FROM observations AS o JOIN patch_observations AS s ON s.observation_id = o.id WHERE o.alert_id IS NOT NULL;
COMMENT ON VIEW alert_patches IS 'The patches of an alert, by any finding that saw them (a patch may stand twice)';
"""

DOWN = """
DROP VIEW alert_patches;
DROP TABLE patch_steps, patch_observations;
DROP INDEX patches_by_region, patches_by_state, patches_of_observation, patches_of_survey;
DELETE FROM patches WHERE id NOT IN (SELECT min(id) FROM patches GROUP BY survey_id, number);
ALTER TABLE patches
    DROP COLUMN decision_id, DROP COLUMN case_id, DROP COLUMN parents, DROP COLUMN version, DROP COLUMN answered_at, DROP COLUMN found_at,
    DROP COLUMN first_survey_id, DROP COLUMN state,
    ADD CONSTRAINT patches_survey_id_number_key UNIQUE (survey_id, number);
COMMENT ON TABLE patches IS 'Changed polygons 图斑 between two vintages; area geodesic';
"""


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(DOWN)
