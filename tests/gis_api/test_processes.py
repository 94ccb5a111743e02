"""Pid files, healing, ports: what `up` and `down` stand on."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from gis_api import address, supervisor
from gis_api.supervisor import Service
from grid.errors import Conflict
from grid.settings import Settings


@pytest.fixture
def here(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path, database_url="postgresql:///none")


def test_a_pid_file_of_a_dead_or_other_process_counts_as_nothing(here):
    assert not supervisor.standing(here, "worker").alive
    file = supervisor.run_folder(here) / "worker.pid"
    for text in ("", "{", json.dumps({"pid": 999999999, "started_ticks": 1}), json.dumps({"pid": os.getpid(), "started_ticks": 1}), json.dumps([1])):
        file.write_text(text)
        assert not supervisor.standing(here, "worker").alive
    supervisor.record(here, "worker", os.getpid())
    assert supervisor.standing(here, "worker").alive


def test_terminate_insists_when_asked_in_vain(here, tmp_path):
    (tmp_path / "stubborn.py").write_text("import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen([sys.executable, str(tmp_path / "stubborn.py")], stdout=subprocess.PIPE)
    process.stdout.readline()
    supervisor.record(here, "worker", process.pid)
    assert supervisor.terminate(here, "worker", grace_s=0.3)
    assert process.wait(5) == -signal.SIGKILL and not (supervisor.run_folder(here) / "worker.pid").exists()
    assert not supervisor.terminate(here, "worker")


def test_the_environment_of_a_child_gives_the_same_settings(here, monkeypatch):
    monkeypatch.setenv("HDQ_LOG_LEVEL", "debug")
    chosen = here.model_copy(update={"port": 9999, "demo": False})
    given = supervisor.environment(chosen)
    for name in [name for name in os.environ if name.startswith("HDQ_")]:
        monkeypatch.delenv(name)
    for name, value in given.items():
        if name.startswith("HDQ_"):
            monkeypatch.setenv(name, value)
    assert Settings() == chosen


def test_a_keeper_brings_back_what_dies_and_takes_all_down(here, tmp_path, monkeypatch):
    (tmp_path / "sleeper_service.py").write_text("import time\ntime.sleep(600)\n")
    (tmp_path / "keeper_probe.py").write_text(
        "from gis_api import supervisor\nfrom grid.settings import Settings\n"
        "supervisor.SERVICES = (supervisor.Service('worker', 'sleeper_service'),)\nsupervisor.keep(Settings())\n"
    )
    environment = supervisor.environment(here) | {"PYTHONPATH": f"{tmp_path}:{os.getcwd()}"}
    keeper = supervisor.spawn(here, Service(supervisor.KEEPER, "keeper_probe"), environment, detached=True)

    def alive_pid(after: int | None = None) -> int:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            found = supervisor.standing(here, "worker")
            if found.alive and found.pid != after:
                return found.pid
            time.sleep(0.05)
        raise AssertionError((supervisor.run_folder(here) / "keeper.out").read_text())

    first = alive_pid()
    os.kill(first, signal.SIGKILL)
    second = alive_pid(after=first)
    assert supervisor.terminate(here, supervisor.KEEPER)
    keeper.wait(10)
    assert supervisor.started_ticks(second) is None


def test_the_port_asked_for_is_taken_or_refused_never_replaced(here):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=str(port)):
            address.choose(Settings(data_dir=here.data_dir, port=port))
        unasked = here.model_copy()
        object.__setattr__(unasked, "port", port)
        free = address.choose(unasked)
        assert free.port != port and address.address_of(free).endswith(str(free.port))
        assert address.choose(unasked).port == free.port
