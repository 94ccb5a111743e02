"""A private PostgreSQL + PostGIS cluster inside the data folder: no port, no password, nobody else's data touched.

It listens on a unix socket only, so it cannot collide with a server on 5432 or with a second checkout. The operating system vouches for
who connects (peer): the application's role `hdq` is no superuser; `postgres` is, and only set-up and tests use it.
HDQ_DATABASE_URL takes any other server instead, and then nothing here is started.
"""

import getpass
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from grid.errors import Unavailable
from grid.settings import Settings

DATABASE = "hdq"
ROLE = "hdq"
EXTENSIONS = ("postgis", "pg_trgm", "btree_gist", "pgrouting")
SOCKET_PATH_MAX = 100
SYSTEM_FOLDER = Path("/var/lib/hdq")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a private cluster lives. `owner` is the system user its server runs as; `bin` holds initdb and pg_ctl."""

    home: Path
    sockets: Path
    owner: str
    bin: Path

    def url(self, database: str = DATABASE, role: str = ROLE) -> str:
        """A libpq URL through the socket."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.sockets), safe='/')}"


def server_programs() -> Path | None:
    """Folder of the newest PostgreSQL server that has PostGIS beside it; None when there is none."""
    found: list[tuple[int, Path]] = []
    for initdb in Path("/usr/lib/postgresql").glob("*/bin/initdb"):
        version = initdb.parent.parent.name
        extensions = Path("/usr/share/postgresql") / version / "extension"
        if version.isdigit() and (extensions / "postgis.control").exists():
            found.append((int(version), initdb.parent))
    if found:
        return max(found)[1]
    config = shutil.which("pg_config")
    if config is None:
        return None
    folder = Path(subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip())
    share = Path(subprocess.run([config, "--sharedir"], capture_output=True, text=True, check=False).stdout.strip())
    return folder if (folder / "initdb").exists() and (share / "extension" / "postgis.control").exists() else None


def locate(data_dir: Path) -> Cluster:
    """The cluster that belongs to a data folder, whether or not it exists yet. Refuses a machine without the server programs."""
    programs = server_programs()
    if programs is None:
        raise Unavailable(
            "no PostgreSQL server with PostGIS is installed on this machine",
            remedy="run ./hdq up (it installs them), or apt-get install postgresql-15-postgis-3 postgresql-15-pgrouting, or set HDQ_DATABASE_URL",
        )
    mark = hashlib.sha256(str(data_dir).encode()).hexdigest()[:10]
    owner = getpass.getuser() if os.getuid() else "postgres"
    home = data_dir / "pg"
    if os.getuid() == 0 and not (home / "data" / "PG_VERSION").exists() and not _reachable(data_dir, owner):
        home = SYSTEM_FOLDER / mark
    sockets = home / "s"
    if len(str(sockets)) > SOCKET_PATH_MAX:
        sockets = Path(tempfile.gettempdir()) / f"hdq-{os.getuid()}-{mark}"
    return Cluster(home, sockets, owner, programs)


def _reachable(folder: Path, user: str) -> bool:
    """Whether `user` may walk down to `folder` (or to its nearest existing parent)."""
    while not folder.exists():
        folder = folder.parent
    return subprocess.run(["runuser", "-u", user, "--", "test", "-x", str(folder)], capture_output=True, check=False).returncode == 0


def _as_owner(cluster: Cluster, *argv: str) -> subprocess.CompletedProcess:
    command = [*argv] if os.getuid() else ["runuser", "-u", cluster.owner, "--", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", stdin=subprocess.DEVNULL)


def _own(path: Path, cluster: Cluster, mode: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0:
        entry = pwd.getpwnam(cluster.owner)
        os.chown(path, entry.pw_uid, entry.pw_gid)
    path.chmod(mode)


def create(cluster: Cluster, *, durable: bool = True) -> None:
    """Runs initdb (C.UTF-8, so that Chinese trigrams work) and writes the access rules. `durable=False` is for tests: no fsync."""
    _own(cluster.home, cluster, 0o755)
    data = cluster.home / "data"
    done = _as_owner(
        cluster, str(cluster.bin / "initdb"), "-D", str(data), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--auth=peer", "--no-instructions",
        *([] if durable else ["--no-sync"]),
    )
    if done.returncode != 0:
        raise Unavailable(f"initdb failed in {data}: {done.stderr.strip()[-600:]}", remedy="free disk space or choose HDQ_DATA_DIR, then run hdq up again")
    users = {cluster.owner, getpass.getuser(), "root", "postgres"} if os.getuid() == 0 else {cluster.owner}
    ident = "".join(f'hdq "{user}" {role}\n' for user in sorted(users) for role in ("postgres", ROLE))
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    options = {
        "listen_addresses": "''",
        "unix_socket_permissions": "0777",
        "max_connections": "150",
        "shared_buffers": f"{max(128, min(1024, memory_mb // 8))}MB",
        "effective_cache_size": f"{max(256, memory_mb // 2)}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": "128MB",
        "max_wal_size": "2GB",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
    }
    if not durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    for name, text in {
        "pg_hba.conf": "local all all peer map=hdq\n",
        "pg_ident.conf": ident,
        "hdq.conf": "".join(f"{name} = {value}\n" for name, value in options.items()),
    }.items():
        _write(cluster, data / name, text)
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write("include = 'hdq.conf'\n")


def _write(cluster: Cluster, path: Path, text: str) -> None:
    path.write_text(text)
    if os.getuid() == 0:
        entry = pwd.getpwnam(cluster.owner)
        os.chown(path, entry.pw_uid, entry.pw_gid)
    path.chmod(0o600)


def answers(cluster: Cluster) -> bool:
    """Whether the server takes a connection now."""
    try:
        psycopg.connect(cluster.url("postgres", "postgres"), connect_timeout=3, autocommit=True).close()
    except psycopg.OperationalError:
        return False
    return True


def server_pid(cluster: Cluster) -> int | None:
    """The server's process id; None when it is not running, also when a pid file of a killed server is left (a reused pid does not fool it)."""
    try:
        pid = int((cluster.home / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ValueError, ProcessLookupError, PermissionError):
        return None
    return pid if str(cluster.home / "data").encode() in arguments else None


def start(cluster: Cluster, *, durable: bool = True) -> None:
    """Brings the cluster up: creates it when new, heals a stale pid file, waits until it answers. Does nothing when it runs already."""
    if not (cluster.home / "data" / "hdq.conf").exists():
        shutil.rmtree(cluster.home / "data", ignore_errors=True)
        create(cluster, durable=durable)
    if server_pid(cluster) is not None and answers(cluster):
        return
    if server_pid(cluster) is None:
        (cluster.home / "data" / "postmaster.pid").unlink(missing_ok=True)
        _own(cluster.sockets, cluster, 0o755)
        for attempt in range(10):
            done = _as_owner(
                cluster, str(cluster.bin / "pg_ctl"), "start", "-w", "-t", "90", "-D", str(cluster.home / "data"),
                "-l", str(cluster.home / "postgresql.log"), "-o", f"-k '{cluster.sockets}'",
            )
            if done.returncode == 0:
                break
            # backends of a killed server may hold its shared memory for a moment
            (cluster.home / "data" / "postmaster.pid").unlink(missing_ok=True)
            time.sleep(0.5 + attempt / 4)
        else:
            raise Unavailable(f"the private PostgreSQL does not start: {_log_end(cluster)}", remedy=f"read {cluster.home / 'postgresql.log'}, then run hdq up again")
    deadline = time.monotonic() + 90
    while not answers(cluster):
        if time.monotonic() > deadline:
            raise Unavailable(f"the private PostgreSQL does not answer: {_log_end(cluster)}", remedy=f"read {cluster.home / 'postgresql.log'}")
        time.sleep(0.2)


def _log_end(cluster: Cluster) -> str:
    try:
        return (cluster.home / "postgresql.log").read_text(errors="replace")[-600:].strip()
    except (FileNotFoundError, PermissionError):
        return "it left no log"


def ensure_database(cluster: Cluster, database: str = DATABASE) -> str:
    """Makes the application's role, its database and the extensions when missing; asserts C.UTF-8. Returns the application's URL."""
    with psycopg.connect(cluster.url("postgres", "postgres"), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(ROLE)))
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'").format(sql.Identifier(database), sql.Identifier(ROLE))
            )
        (collation,) = connection.execute("SELECT datcollate FROM pg_database WHERE datname = %s", [database]).fetchone()
        if collation != "C.UTF-8":
            raise Unavailable(f"database {database} has locale {collation}, under which Chinese search fails", remedy="run hdq reset, then hdq up")
    with psycopg.connect(cluster.url(database, "postgres"), autocommit=True) as connection:
        present = {name for (name,) in connection.execute("SELECT extname FROM pg_extension")}
        for extension in EXTENSIONS:
            if extension not in present:
                connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension)))
        if "postgis" not in present:
            connection.execute("ANALYZE spatial_ref_sys")
    return cluster.url(database)


def stop(cluster: Cluster) -> bool:
    """Stops the server (connections are ended, nothing is lost). Returns whether it ran."""
    pid = server_pid(cluster)
    if pid is None:
        return False
    done = _as_owner(cluster, str(cluster.bin / "pg_ctl"), "stop", "-w", "-t", "30", "-m", "fast", "-D", str(cluster.home / "data"))
    if done.returncode != 0 and server_pid(cluster) == pid:
        os.kill(pid, signal.SIGQUIT)
    return True


def destroy(cluster: Cluster) -> None:
    """Stops the server and removes the cluster with everything in it."""
    stop(cluster)
    shutil.rmtree(cluster.home, ignore_errors=True)
    shutil.rmtree(cluster.sockets, ignore_errors=True)


def ensure(settings: Settings) -> Settings:
    """Settings whose database_url answers: the given server's, or that of the private cluster, started when it is not running."""
    if settings.database_url is not None:
        return settings
    cluster = locate(settings.data_dir)
    start(cluster)
    return settings.model_copy(update={"database_url": ensure_database(cluster)})


def test_server(settings: Settings) -> str:
    """URL of the superuser on a second private cluster that only tests use (no fsync); started when it is not running."""
    cluster = locate(settings.data_dir / "test")
    start(cluster, durable=False)
    return cluster.url("postgres", "postgres")
