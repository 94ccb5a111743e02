"""The same pair on one and two processes of a cluster: the same bytes, also when a worker is killed in the middle, also encrypted."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import shapely
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from grid.errors import InvalidInput, Unavailable
from grid.settings import Settings
from imagery import cluster, engine
from imagery.cluster import Cluster
from imagery.engine import Block, Cancelled, blocks, run
from imagery.scenes import analyses, judging, pairs, simulate
from imagery.scenes.raster import write_geotiff

if TYPE_CHECKING:
    from distributed import LocalCluster

BOUNDS = (120.555, 36.150, 120.595, 36.172)
STRIP = 8
"""Rows of a block here: the pair is small and must be many blocks."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> pairs.Pair:
    folder = tmp_path_factory.mktemp("pair")
    made = simulate.pair(BOUNDS, 10, [("forest", shapely.box(*BOUNDS))], [("clear_cut", shapely.box(120.56, 36.155, 120.575, 36.165))], 3)
    paths = [
        write_geotiff(folder / f"{name}.tif", pixels, made.transform, made.crs, bands=simulate.BANDS, nodata=0)
        for name, pixels in (("before", made.before), ("after", made.after))
    ]
    return pairs.align(*(pairs.Source(path, simulate.BANDS) for path in paths))


def digest(pair: pairs.Pair, analysis_id: str, carry: judging.Run = engine.run) -> str:
    """SHA-256 of everything that the analysis says of the pair."""
    analysis = analyses.get(analysis_id)
    ready, fitted = judging.prepare(pair, analysis)
    runs, share = judging.marked(ready, analysis, fitted, carry)
    parts = (runs.rows, runs.starts, runs.stops, runs.values)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts) + repr((share, runs.height, runs.width)).encode()).hexdigest()


def on(held: Cluster, **options: object) -> judging.Run:
    return partial(run, elsewhere=partial(cluster.opened, held), **options)


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """A self-made authority's certificate, one for the loopback signed by it, and its key."""
    now = datetime.now(UTC)

    def issue(name: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, issuer: str, authority: bool) -> bytes:
        label = lambda text: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])  # noqa: E731
        made = (
            x509.CertificateBuilder().subject_name(label(name)).issuer_name(label(issuer)).public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        )  # fmt: skip
        return made.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    plain = serialization.NoEncryption()
    contents = (
        issue("authority", root, root, "authority", True), issue("loopback", leaf, root, "authority", False),
        leaf.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain),
    )  # fmt: skip
    paths = tuple(folder / name for name in ("ca.pem", "certificate.pem", "key.pem"))
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, "LocalCluster"]]:
    """An encrypted cluster of this machine: each process takes seconds to come up, so the tests share it and say how many they need."""
    authority, certificate, key = certificates(tmp_path_factory.mktemp("certificates"))
    with cluster.local(1, authority=authority, certificate=certificate, key=key) as made:
        yield made


def sized(processes: "LocalCluster", workers: int) -> None:
    processes.scale(workers)
    while len(processes.scheduler_info["workers"]) != workers:
        time.sleep(0.05)


@pytest.fixture(scope="module")
def alone(pair: pairs.Pair) -> str:
    """What this process says of the pair."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "STRIP", STRIP)
        return digest(pair, "vegetation_loss")


@pytest.mark.slow
def test_one_process_gives_the_same_bytes_encrypted_and_strangers_stay_out(
    local: tuple[Cluster, "LocalCluster"], pair: pairs.Pair, alone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, processes = local
    sized(processes, 1)
    monkeypatch.setattr(judging, "STRIP", STRIP)
    assert one.address.startswith("tls://127.0.0.1:")
    settings = Settings(dask_address=one.address, dask_ca=one.authority, dask_certificate=one.certificate, dask_key=one.key, data_dir=tmp_path)
    assert cluster.configured(settings) == one
    assert digest(pair, "vegetation_loss", on(one)) == alone
    monkeypatch.setattr(cluster, "PATIENCE_S", 1.0)
    with pytest.raises(Unavailable, match="no dask scheduler answers"):
        list(run(area, blocks(4, 4), elsewhere=partial(cluster.opened, Cluster(one.address, *certificates(tmp_path)))))


@pytest.mark.slow
def test_two_processes_of_which_one_is_killed_give_the_same_bytes(
    local: tuple[Cluster, "LocalCluster"], pair: pairs.Pair, alone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, processes = local
    sized(processes, 2)
    monkeypatch.setattr(judging, "STRIP", STRIP)
    assert digest(pair, "vegetation_loss", on(held)) == alone
    victim = next(iter(processes.workers.values())).pid
    seen: list[int] = []

    def killing(finished: int, total: int) -> None:
        seen.append(finished)
        if finished == 2:
            os.kill(victim, signal.SIGKILL)

    assert digest(pair, "vegetation_loss", on(held, progress=killing)) == alone
    assert seen == list(range(seen[-1] + 1)) and seen[-1] > 20


def area(block: Block) -> int:
    return block.height * block.width


def slow_area(block: Block) -> int:
    threading.Event().wait(0.3)
    return area(block)


@pytest.mark.slow
def test_cancel_stops_and_what_is_kept_is_not_done_again(local: tuple[Cluster, "LocalCluster"], tmp_path: Path) -> None:
    work = blocks(10, 10, size=2)
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        for _ in on(local[0], cancel=cancel, keep=tmp_path)(slow_area, work):
            cancel.set()
    kept = len(list(tmp_path.glob("*/*.block")))
    assert 1 <= kept < len(work)


def counted(marker: str, block: Block) -> int:
    with Path(marker).open("a") as file:
        file.write(f"{block.index}\n")
    return area(block)


def test_a_run_goes_on_from_what_an_earlier_one_kept_and_a_damaged_block_is_done_again(tmp_path: Path) -> None:
    work, marker, keep = blocks(10, 10, size=5), tmp_path / "marker", tmp_path / "kept"
    function: Callable[[Block], int] = partial(counted, str(marker))
    for _ in zip(run(function, work, keep=keep), range(2), strict=False):
        pass
    assert marker.read_text().split() == ["0", "1", "2"][: len(marker.read_text().split())]
    done = len(marker.read_text().split())
    damaged = sorted(keep.glob("*/*.block"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\x00")
    assert sorted((block.index, value) for block, value in run(function, work, keep=keep)) == [(n, 25) for n in range(4)]
    assert len(marker.read_text().split()) == len(work) + 1 and done < len(work)
    list(run(partial(counted, str(tmp_path / "other")), work, keep=keep))
    assert len((tmp_path / "other").read_text().split()) == 4
    engine.forget(keep)
    assert not keep.exists()


def test_what_is_no_safe_cluster(tmp_path: Path) -> None:
    for address, word in (("tcp://10.0.0.5:8786", "unencrypted"), ("tls://10.0.0.5:8786", "PEM"), ("http://127.0.0.1:1", "no address"), ("tcp://", "no address")):
        with pytest.raises(InvalidInput, match=word):
            Cluster(address)
    assert cluster.configured(Settings(data_dir=tmp_path)) is None
