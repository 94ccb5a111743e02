"""hdq down: stops every process of this installation, the private database too."""

from gis_api import embedded, supervisor
from gis_api.commands import console, settings_or_exit


def command() -> None:
    """停止服务 · stop the server, the worker, the watcher and the private database. Nothing is lost."""
    settings = settings_or_exit()
    stopped = supervisor.stop(settings)
    if settings.database_url is None and embedded.server_programs() is not None:
        for folder, name in ((settings.data_dir, "database"), (settings.data_dir / "test", "test database")):
            cluster = embedded.locate(folder)
            if embedded.server_pid(cluster) is not None and embedded.stop(cluster):
                stopped.append(name)
    console.print(f"已停止 stopped: {', '.join(stopped)}" if stopped else "没有在运行的进程 nothing was running")
