"""Starts, keeps and stops the product's processes. Pid files carry the process's start time, so that a reused pid is never taken for ours.

`start` launches one detached keeper; the keeper runs the services as its children and brings back any that dies, with growing pauses.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from grid.settings import SECRET_PREFIX, Settings

KEEPER = "keeper"
STEADY_S = 60.0
PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
GRACE_S = 15.0
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Service:
    """One long-running process: `module` is run with python -m and `arguments`; `niceness` (0–19) is how far it stands back when processors are short."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    niceness: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What a pid file says and whether it holds now."""

    name: str
    pid: int | None
    alive: bool


SERVICES = (
    Service("server", "gis_api.server"),
    Service("worker", "gis_api.worker", niceness=2),
    Service("watcher", "gis_api.watcher", niceness=2),
    Service("mqtt", "gis_api.gateways.mqtt", niceness=2),
    Service("simulator", "gis_api.simulator", niceness=5),
)


def services(settings: Settings) -> tuple[Service, ...]:
    """The services of this installation: units are simulated only in the demo, and a broker is listened to only where one is named."""
    absent = {name for name, wanted in (("simulator", settings.demo), ("mqtt", settings.mqtt_url is not None)) if not wanted}
    return tuple(service for service in SERVICES if service.name not in absent)


def run_folder(settings: Settings) -> Path:
    """Folder of pid files and logs; made when missing, private to its owner."""
    folder = settings.data_dir / "run"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def started_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None when there is no such process (a zombie counts as none)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def record(settings: Settings, name: str, pid: int) -> None:
    """Writes the pid file of a process that has just been started."""
    path = run_folder(settings) / f"{name}.pid"
    fresh = path.with_suffix(".pid.new")
    fresh.write_text(json.dumps({"pid": pid, "started_ticks": started_ticks(pid)}))
    fresh.replace(path)


def standing(settings: Settings, name: str) -> Standing:
    """Whether the process of a pid file still runs. A file left by a killed process, or unreadable, counts as not running."""
    try:
        written = json.loads((run_folder(settings) / f"{name}.pid").read_text())
        pid, ticks = int(written["pid"]), written["started_ticks"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return Standing(name, None, False)
    return Standing(name, pid, ticks is not None and started_ticks(pid) == ticks)


def spawn(settings: Settings, service: Service, environment: dict[str, str], *, detached: bool = False) -> subprocess.Popen:
    """Starts a process with its output appended to run/NAME.out and its pid recorded."""
    stand_back = ["nice", "-n", str(service.niceness)] if service.niceness else []
    with (run_folder(settings) / f"{service.name}.out").open("ab") as out:
        process = subprocess.Popen(
            [*stand_back, sys.executable, "-m", service.module, *service.arguments],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, cwd=settings.data_dir, start_new_session=detached,
        )
    record(settings, service.name, process.pid)
    return process


def die_with_parent() -> None:
    """Asks the kernel to end this process when the one that started it ends, however it ends: a killed keeper or server leaves no orphan
    behind that holds the port. Linux only; elsewhere it does nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def environment(settings: Settings) -> dict[str, str]:
    """The environment that gives a child exactly these settings."""
    carried = {name: value for name, value in os.environ.items() if not name.startswith("HDQ_") or name.startswith(SECRET_PREFIX)}
    for name, value in settings.model_dump(mode="json").items():
        if value is not None:
            given = getattr(settings, name)
            carried[f"HDQ_{name.upper()}"] = given.get_secret_value() if isinstance(given, SecretStr) else str(value)
    return carried | {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "false", "PYTHONUNBUFFERED": "1"}


def start(settings: Settings) -> bool:
    """Starts the keeper unless it runs. Orphans of a keeper that was killed are stopped first. Returns whether anything was started."""
    if standing(settings, KEEPER).alive:
        return False
    for service in SERVICES:
        terminate(settings, service.name)
    spawn(settings, Service(KEEPER, "gis_api.supervisor"), environment(settings), detached=True)
    return True


def terminate(settings: Settings, name: str, grace_s: float = GRACE_S) -> bool:
    """Asks a process to end, then insists after `grace_s`. Removes its pid file. Returns whether it was running."""
    found = standing(settings, name)
    if found.alive and found.pid is not None:
        os.kill(found.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while standing(settings, name).alive and time.monotonic() < deadline:
            time.sleep(0.05)
        if standing(settings, name).alive:
            os.kill(found.pid, signal.SIGKILL)
            while standing(settings, name).alive and time.monotonic() < deadline + 5:
                time.sleep(0.05)
    (run_folder(settings) / f"{name}.pid").unlink(missing_ok=True)
    return found.alive


def stop(settings: Settings) -> list[str]:
    """Stops the keeper (which stops its children) and whatever it left. Returns the names of what was running."""
    names = [KEEPER, *(service.name for service in SERVICES)]
    running = [name for name in names if standing(settings, name).alive]
    terminate(settings, KEEPER, grace_s=2 * GRACE_S)
    for service in SERVICES:
        terminate(settings, service.name)
    return running


def keep(settings: Settings) -> None:
    """Runs the services until told to end (SIGTERM, SIGINT); brings back one that ends, after a pause that grows while it keeps failing."""
    ending = False

    def end(_signal: int, _frame: object) -> None:
        nonlocal ending
        ending = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    inherited = environment(settings)
    running: dict[str, subprocess.Popen] = {}
    failures: dict[str, int] = {}
    due: dict[str, float] = {service.name: 0.0 for service in services(settings)}
    began: dict[str, float] = {}
    while not ending:
        now = time.monotonic()
        for service in services(settings):
            name = service.name
            process = running.get(name)
            if process is not None and process.poll() is not None:
                failures[name] = 0 if now - began[name] > STEADY_S else failures.get(name, 0) + 1
                due[name] = now + PAUSES_S[min(failures[name], len(PAUSES_S) - 1)]
                print(f"{time.strftime('%FT%TZ', time.gmtime())} {name} ended with {process.returncode}; again in {due[name] - now:.1f} s", flush=True)
                del running[name]
            if name not in running and now >= due[name]:
                running[name] = spawn(settings, service, inherited)
                began[name] = now
        time.sleep(0.2)
    for process in running.values():
        process.terminate()
    deadline = time.monotonic() + GRACE_S
    for process in running.values():
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    keep(Settings())
