"""The private cluster: from nothing, healed after a kill, beside another one, gone without a trace."""

import os
import signal
from pathlib import Path

import psycopg
import pytest

from gis_api import embedded

pytestmark = pytest.mark.skipif(embedded.server_programs() is None, reason="no PostgreSQL server with PostGIS is installed; ./hdq up installs it")


@pytest.fixture
def cluster(tmp_path_factory):
    found = embedded.locate(tmp_path_factory.mktemp("cluster"))
    yield found
    embedded.destroy(found)


def test_from_nothing_to_an_ordinary_role_with_extensions_and_chinese_search(cluster):
    embedded.start(cluster, durable=False)
    url = embedded.ensure_database(cluster)
    assert embedded.ensure_database(cluster) == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
        assert set(embedded.EXTENSIONS) <= {name for (name,) in connection.execute("SELECT extname FROM pg_extension")}
        assert connection.execute("SELECT similarity('香港中路街道', '香港中路') > 0.3").fetchone() == (True,)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_a_killed_server_comes_back_with_what_was_committed(cluster):
    embedded.start(cluster)
    url = embedded.ensure_database(cluster)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    os.kill(embedded.server_pid(cluster), signal.SIGKILL)
    embedded.start(cluster)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (1,)
    assert embedded.stop(cluster) and not embedded.stop(cluster) and embedded.server_pid(cluster) is None


def test_a_pid_file_of_another_process_is_no_server(cluster):
    embedded.start(cluster, durable=False)
    embedded.stop(cluster)
    (cluster.home / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    assert embedded.server_pid(cluster) is None
    embedded.start(cluster)
    assert embedded.answers(cluster)


def test_two_folders_never_share_a_socket_and_deep_ones_get_a_short_path(tmp_path):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    one, two = embedded.locate(deep / "one"), embedded.locate(deep / "two")
    assert one.sockets != two.sockets and len(str(one.sockets)) <= embedded.SOCKET_PATH_MAX
    assert embedded.locate(deep / "one") == one


@pytest.mark.skipif(os.getuid() != 0, reason="only root's server runs as another user")
def test_a_folder_the_servers_user_cannot_reach_is_left_for_a_system_folder(tmp_path):
    private = tmp_path / "home"
    private.mkdir(mode=0o700)
    assert embedded.locate(private / "checkout").home.is_relative_to(embedded.SYSTEM_FOLDER)
    assert Path("/var/lib/hdq") == embedded.SYSTEM_FOLDER
