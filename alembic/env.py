"""Runs migrations over the database that HDQ_DATABASE_URL (or `-x url=…`) names."""

from alembic import context
from sqlalchemy import create_engine, pool

from grid.settings import Settings


def main() -> None:
    url = context.get_x_argument(as_dictionary=True).get("url") or context.config.attributes.get("url") or Settings().database_url
    if not url:
        raise SystemExit("no database named: set HDQ_DATABASE_URL, or let `hdq up` run the migrations over its private cluster")
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1).replace("postgres://", "postgresql+psycopg://", 1), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()


main()
