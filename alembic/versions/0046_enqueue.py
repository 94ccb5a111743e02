"""A job is enqueued in one statement: what waits already under its queueing lock is found on the server, without a savepoint of the caller.

Revision ID: 0046
Revises: 0045
"""

from alembic import op

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION hdq_enqueue(its_queue text, task text, its_priority integer, its_lock text, its_queueing_lock text, arguments jsonb) RETURNS bigint
        LANGUAGE plpgsql AS $$
        BEGIN
            RETURN (procrastinate_defer_jobs_v1(ARRAY[
                ROW(its_queue, task, its_priority, its_lock, its_queueing_lock, arguments, NULL)::procrastinate_job_to_defer_v1
            ]))[1];
        EXCEPTION WHEN unique_violation THEN
            UPDATE procrastinate_jobs SET priority = its_priority WHERE id IN (
                SELECT id FROM procrastinate_jobs
                WHERE queueing_lock = its_queueing_lock AND status = 'todo' AND priority < its_priority FOR UPDATE SKIP LOCKED
            );
            RETURN NULL;
        END $$
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION hdq_enqueue")
