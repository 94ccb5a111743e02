"""A dask cluster as a place where blocks are run: the scheduler of a city's own machines, or processes of this one, bound to the loopback.

What crosses machines is encrypted and both sides show a certificate of the city's own authority; without TLS only this machine is spoken to.
Workers run this same installation and see the same files under the same paths.
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from grid.errors import InvalidInput, Unavailable
from grid.settings import Settings

if TYPE_CHECKING:
    from distributed import Client, LocalCluster
    from distributed.security import Security

LOOPBACK = "127.0.0.1"
LOCAL = frozenset({LOOPBACK, "localhost", "::1"})
WORKER_MEMORY = 1_500_000_000
"""Bytes above which a local worker is replaced: a pair of scenes never needs more."""
PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A scheduler's address (tls://host:port, or tcp://127.0.0.1:port) and PEM files: the authority, our certificate, its key."""

    address: str
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        """Refuses an address without encryption on another machine, and TLS without its three files, with InvalidInput."""
        parts = urlsplit(self.address)
        if parts.scheme not in ("tls", "tcp") or not parts.hostname:
            raise InvalidInput(f"{self.address!r} is no address of a dask scheduler", remedy="e.g. HDQ_DASK_ADDRESS=tls://10.0.0.5:8786")
        if parts.scheme == "tcp" and parts.hostname not in LOCAL:
            raise InvalidInput(f"{self.address} would send pixels and code unencrypted", remedy="use tls:// with HDQ_DASK_CA, HDQ_DASK_CERTIFICATE, HDQ_DASK_KEY")
        missing = [path for path in (self.authority, self.certificate, self.key) if path is None or not path.is_file()]
        if parts.scheme == "tls" and missing:
            raise InvalidInput(f"TLS needs three PEM files; not there: {missing[0]}", remedy="set HDQ_DASK_CA, HDQ_DASK_CERTIFICATE and HDQ_DASK_KEY")

    def security(self) -> "Security":
        """What dask must know of the certificates; encryption is demanded wherever there are any."""
        from distributed.security import Security  # a second to read, and only where a cluster is used

        if self.certificate is None:
            return Security()
        names = {
            f"tls_{side}_{kind}": str(path)
            for side in ("client", "scheduler", "worker")
            for kind, path in (("cert", self.certificate), ("key", self.key))
        }
        return Security(tls_ca_file=str(self.authority), require_encryption=True, **names)


def configured(settings: Settings) -> Cluster | None:
    """The cluster of the settings HDQ_DASK_…; None where none is set. Raises InvalidInput as `Cluster` does."""
    if settings.dask_address is None:
        return None
    return Cluster(settings.dask_address, settings.dask_ca, settings.dask_certificate, settings.dask_key)


@contextmanager
def opened(cluster: Cluster) -> Iterator[tuple[Executor, int]]:
    """Connects and yields an executor and the number of its threads, as `engine.run` wants them. Unavailable when nobody answers there or no worker
    has come."""
    client = _client(cluster)
    try:
        yield client.get_executor(pure=False), max(1, sum(client.nthreads().values()))
    finally:
        client.close()


def _client(cluster: Cluster) -> "Client":
    from distributed import Client

    try:
        client = Client(cluster.address, security=cluster.security(), timeout=PATIENCE_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"no dask scheduler answers at {cluster.address}: {error}", remedy="start it, or unset HDQ_DASK_ADDRESS") from error
    try:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except TimeoutError as error:
        client.close()
        raise Unavailable(f"the dask scheduler at {cluster.address} has no worker", remedy="start one: dask worker ADDRESS") from error
    return client


@contextmanager
def local(workers: int, *, authority: Path | None = None, certificate: Path | None = None, key: Path | None = None) -> Iterator[tuple[Cluster, "LocalCluster"]]:
    """Processes of this machine as a cluster on the loopback, one thread each, without a dashboard; encrypted when certificates are given."""
    from distributed import LocalCluster

    protocol = "tcp" if certificate is None else "tls"
    security = Cluster(f"{protocol}://{LOOPBACK}:1", authority, certificate, key).security()
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, host=LOOPBACK, protocol=protocol, security=security, dashboard_address=None,
        memory_limit=WORKER_MEMORY, silence_logs=40,
    ) as held:  # fmt: skip
        yield Cluster(held.scheduler_address, authority, certificate, key), held
