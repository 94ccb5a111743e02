"""The shell half of the two commands: sound bash, pip's mirrors handed to uv, and the steps of CI."""

import doctest
import importlib.util
import os
import shutil
import subprocess

import pytest

from grid.settings import ROOT


@pytest.fixture(scope="module")
def uv_environment():
    plan = importlib.util.spec_from_file_location("uv_environment", ROOT / "deploy" / "uv_environment.py")
    module = importlib.util.module_from_spec(plan)
    plan.loader.exec_module(module)
    return module


@pytest.mark.parametrize("script", ["hdq", ".ci/run"])
def test_scripts_are_sound_and_executable(script):
    assert os.access(ROOT / script, os.X_OK)
    assert subprocess.run(["bash", "-n", ROOT / script], capture_output=True, check=False).returncode == 0


def test_what_pip_knows_uv_is_told(uv_environment, tmp_path):
    assert doctest.testmod(uv_environment).failed == 0
    listing = "\n".join(
        (
            "global.index-url='https://mirror.example/simple'",
            "global.extra-index-url='https://a.example/simple\\nhttps://b.example/simple'",
            "install.find-links='/a /b'",
            "global.trusted-host='mirror.example'",
            "global.no-index='true'",
            ":env:.cert='/ca.pem'",
            "freeze.timeout='10'",
        )
    )
    assert uv_environment.uv_environment(uv_environment.pip_settings(listing), {"SSL_CERT_FILE": "/mine.pem"}) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/a,/b",
        "UV_INSECURE_HOST": "mirror.example",
        "UV_NO_INDEX": "1",
    }
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-linux.whl").touch()
    assert uv_environment.holds_torch(str(tmp_path)) and uv_environment.holds_torch(f"file://{tmp_path}") and not uv_environment.holds_torch("/nowhere")


def test_a_checkout_without_python_says_what_to_do(tmp_path):
    shutil.copy(ROOT / "hdq", tmp_path / "hdq")
    found = subprocess.run([tmp_path / "hdq", "status"], capture_output=True, text=True, check=False)
    assert found.returncode == 1 and "./hdq up" in found.stderr
    doctor = subprocess.run([tmp_path / "hdq", "doctor"], capture_output=True, text=True, check=False)
    assert doctor.returncode == 1 and "Python" in doctor.stderr and "PostGIS" in doctor.stderr
