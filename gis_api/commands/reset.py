"""hdq reset: back to nothing."""

import shutil

import typer

from gis_api import embedded, migrations, supervisor
from gis_api.commands import console, settings_or_exit

KEPT = {"setup"}


def command(yes: bool = typer.Option(False, "--yes", help="不再询问 · do not ask")) -> None:
    """清空全部数据 · stop everything and remove all data: database, pictures, scenes, logs. The next `hdq up` begins anew."""
    settings = settings_or_exit()
    place = settings.database_url and "the database of HDQ_DATABASE_URL" or "the private database"
    if not yes:
        typer.confirm(f"删除 {settings.data_dir} 与数据库中的全部数据？Remove all data in {settings.data_dir} and {place}?", abort=True)
    supervisor.stop(settings)
    if settings.database_url is not None:
        migrations.downgrade(settings.database_url)
    elif embedded.server_programs() is not None:
        for folder in (settings.data_dir, settings.data_dir / "test"):
            embedded.destroy(embedded.locate(folder))
    if settings.data_dir.exists():
        for entry in settings.data_dir.iterdir():
            if entry.name in KEPT:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink()
    console.print("已清空 reset; ./hdq up begins anew")
