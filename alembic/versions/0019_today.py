"""hdq_today(): the day it is in the city. Connections speak UTC, where current_date is yesterday until eight in the morning of Qingdao."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute("CREATE FUNCTION hdq_today() RETURNS date LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date $$")
    op.execute("COMMENT ON FUNCTION hdq_today() IS 'the date in Asia/Shanghai, where the city is; connections speak UTC'")


def downgrade() -> None:
    op.execute("DROP FUNCTION hdq_today()")
