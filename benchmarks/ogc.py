"""The open standards against a running server, by programs of others: ogctests, GDAL's OAPIF driver (ogr2ogr where it is installed), schemathesis, pystac.

    HDQ_URL=http://127.0.0.1:8470 HDQ_USER=zhihui HDQ_PASSWORD=… python -m benchmarks.ogc [--cases 10000] [--only suite,frames,ogr2ogr,fuzz,stac]

`suite` makes a virtual environment under HDQ_DATA_DIR (default .hdq) with ogctests in it (from the package index; later runs need none), runs it as published, and runs
a copy with the mends of benchmarks/ogc_suite.py. `frames` reads each collection in 4326, 4490 and 4528 and compares the points, brought back to degrees by pyproj,
with those of CRS84. `fuzz` sends cases drawn by schemathesis from the OpenAPI document; a 5xx fails the run.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import numpy as np
import pyogrio
import pyproj
import shapely

from benchmarks.ogc_suite import MENDS, mend
from grid.settings import Settings

RUNNER = """
import sys, httpx
from ogctests.main import run_ogctests
base, user, password, scope, *flags = sys.argv[1:]
client = httpx.Client(base_url=base, auth=(user, password), timeout=120)
raise SystemExit(run_ogctests(scope, base, flags, client))
"""
PARTS = ("suite", "frames", "ogr2ogr", "fuzz", "stac")
SAMPLE = 2_000
"""Features of a collection that are compared; the largest has 270,000."""
OGR2OGR_SAMPLE = 100
FRAMES = (4326, 4490, 4528)


def _environment(folder: Path) -> Path:
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if subprocess.run([str(python), "-c", "import ogctests"], capture_output=True, check=False).returncode:
        subprocess.run([str(python), "-m", "pip", "install", "-q", "ogctests==0.1.15"], check=True)
    return python


def suite(url: str, user: str, password: str) -> dict[str, str]:
    """Passed of all, by part and by whether the suite was mended."""
    python = _environment(Settings().data_dir / "ogctests")
    site = Path(subprocess.run([str(python), "-c", "import ogctests; print(ogctests.__path__[0])"], capture_output=True, text=True, check=True).stdout.strip())
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(site, Path(folder) / "ogctests")
        mend(Path(folder) / "ogctests")
        for kind, path in (("published", ""), ("mended", folder)):
            for part in ("core", "filtering"):
                argv = [str(python), "-c", RUNNER, f"{url}/ogc", user, password, f"features/{part}", "-q", "--no-header", "-p", "no:cacheprovider", "--tb=line", "-W", "ignore"]
                done = subprocess.run(argv, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": path})
                counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout)}
                passed = counts.get("passed", 0)
                found[f"{part}_{kind}"] = f"{passed}/{sum(counts.values())}"
                print(f"ogctests {part:9} {kind:9} {found[f'{part}_{kind}']}")
                if kind == "mended" and done.returncode:
                    print(done.stdout[-3000:])
    return found


def _read(url: str, layer: str, crs: str, login: str) -> tuple[np.ndarray, np.ndarray]:
    meta, fids, geometries, _ = pyogrio.raw.read(
        f"OAPIF:{url}/ogc", layer=layer, columns=[], max_features=SAMPLE, return_fids=False, **{"CRS": crs, "USERPWD": login, "PAGE_SIZE": 1000}
    )
    return np.asarray(shapely.from_wkb(geometries)), np.array([meta["crs"]])


def _listed(url: str, user: str, password: str) -> list[str]:
    return [one["id"] for one in httpx.get(f"{url}/ogc/collections", auth=(user, password), timeout=60).json()["collections"]]


def _apart(layer: str, code: int, points: np.ndarray, first: np.ndarray) -> float:
    """Metres between points of a frame, brought back to degrees, and the same points as CRS84; the worst of them."""
    if points.shape != first.shape:
        raise SystemExit(f"{layer} in EPSG:{code}: {points.shape} instead of {first.shape}")
    lon, lat = pyproj.Transformer.from_crs(code, 4490, always_xy=True).transform(points[:, 0], points[:, 1])
    _, _, metres = pyproj.Geod(ellps="WGS84").inv(lon, lat, first[:, 0], first[:, 1])
    return float(np.max(metres))


def frames(url: str, user: str, password: str, only: tuple[str, ...] = ()) -> dict[str, object]:
    """How far the points of each collection lie from those of CRS84 when a frame is read by GDAL and brought back by pyproj, in metres."""
    listed = [name for name in _listed(url, user, password) if not only or name in only]
    worst, compared, empty = 0.0, 0, 0
    for name in listed:
        plain, _ = _read(url, name, "OGC:CRS84", f"{user}:{password}")
        if not len(plain):
            empty += 1
            continue
        first = shapely.get_coordinates(plain)
        for code in FRAMES:
            other, _ = _read(url, name, f"EPSG:{code}", f"{user}:{password}")
            worst = max(worst, _apart(name, code, shapely.get_coordinates(other), first))
        compared += len(plain)
        print(f"{name}: {len(plain)} features in 3 frames, worst so far {worst:.4f} m")
    return {"frames_worst_m": round(worst, 4), "frames_features": compared, "frames_collections": len(listed), "frames_empty": empty, "gdal": pyogrio.__gdal_version_string__}


def ogr2ogr(url: str, user: str, password: str) -> dict[str, object]:
    """The same with the program ogr2ogr of this machine. From GDAL 3.7 on it asks the server for the frame; before, its driver reads CRS84 and it converts itself."""
    if shutil.which("ogr2ogr") is None:
        print("ogr2ogr is missing: apt-get install -y gdal-bin; that part is left out")
        return {"ogr2ogr": None}
    version = subprocess.run(["ogr2ogr", "--version"], capture_output=True, text=True, check=True).stdout.split(",")[0]
    asks = tuple(map(int, version.split()[-1].split(".")[:2])) >= (3, 7)
    worst, compared = 0.0, 0
    listed = _listed(url, user, password)
    with tempfile.TemporaryDirectory() as folder:
        for name in listed:
            read: dict[int, np.ndarray] = {}
            for code in (0, *FRAMES):
                target = Path(folder) / f"{code}.gpkg"
                target.unlink(missing_ok=True)
                frame = [] if code == 0 else ["-oo", f"CRS=EPSG:{code}"] if asks else ["-t_srs", f"EPSG:{code}"]
                argv = ["ogr2ogr", "-f", "GPKG", "-lco", "SPATIAL_INDEX=NO", str(target), f"OAPIF:{url}/ogc/collections/{name}", name, "-limit", str(OGR2OGR_SAMPLE), *frame]
                done = subprocess.run([*argv, "-oo", f"USERPWD={user}:{password}", "-oo", f"PAGE_SIZE={OGR2OGR_SAMPLE}"], capture_output=True, text=True, check=False)
                if done.returncode or "ERROR" in done.stderr:
                    raise SystemExit(f"ogr2ogr of {name} in {code or 'CRS84'}: {done.stderr[-800:]}")
                read[code] = shapely.get_coordinates(shapely.from_wkb(pyogrio.raw.read(target, columns=[])[2]))
                if not len(read[0]):
                    break
            if len(read[0]):
                worst = max(worst, *(_apart(name, code, read[code], read[0]) for code in FRAMES))
                compared += 1
                print(f"ogr2ogr {name}: {len(read[0])} vertices in 3 frames, worst so far {worst:.4f} m", flush=True)
    return {"ogr2ogr": version, "ogr2ogr_worst_m": round(worst, 4), "ogr2ogr_collections": compared, "ogr2ogr_empty": len(listed) - compared}


def fuzz(url: str, user: str, password: str, cases: int) -> dict[str, object]:
    """How many cases were sent and how many came back as 5xx."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, given
    from hypothesis import settings as hypothesis_settings
    from schemathesis.errors import SerializationNotPossible

    client = httpx.Client(base_url=url, headers={"X-HDQ-Client": "1"}, timeout=60)
    cookies = dict(client.post("/api/login", json={"username": user, "password": password}).raise_for_status().cookies)
    schema = schemathesis.openapi.from_url(f"{url}/api/openapi.json").exclude(path_regex=r"^/api/(events|login|logout)$")
    operations = [found.ok() for found in schema.get_all_operations()]
    sent, broken = 0, {}

    def trial(operation: object, most: int) -> None:
        @given(case=operation.as_strategy())
        @hypothesis_settings(max_examples=most, deadline=None, database=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
        def asked(case: object) -> None:
            nonlocal sent
            answer = case.call(cookies=cookies, headers={"X-HDQ-Client": "1"}, timeout=60)
            sent += 1
            if answer.status_code >= 500 and answer.status_code != 503:
                broken.setdefault(operation.label, answer.text[:300])

        asked()

    while sent < cases and operations:
        share = max(2, (cases - sent) // len(operations))
        for operation in list(operations):
            try:
                trial(operation, share)
            except SerializationNotPossible as error:
                print(f"left out, no case can be written: {operation.label}: {str(error).splitlines()[0]}")
                operations.remove(operation)
    for label, text in broken.items():
        print(f"5xx {label}: {text}")
    print(f"schemathesis: {sent} cases over {len(operations)} operations, {len(broken)} with a 5xx")
    return {"fuzz_cases": sent, "fuzz_5xx": len(broken)}


def stac(url: str, user: str, password: str) -> dict[str, object]:
    """How many STAC documents are sound by the schemas that pystac brings; extensions' schemas, which are on the network, are left alone."""
    import pystac
    from pystac.validation import RegisteredValidator
    from pystac.validation.stac_validator import JsonSchemaSTACValidator

    class Bundled(JsonSchemaSTACValidator):
        def validate_extension(self, *args: object, **kwargs: object) -> None:
            return None

    RegisteredValidator.set_validator(Bundled())
    client = httpx.Client(base_url=url, auth=(user, password), timeout=60)
    found = [client.get("/stac").json(), *client.get("/stac/collections").json()["collections"], *client.post("/stac/search", json={"limit": 500}).json()["features"]]
    for document in found:
        pystac.validation.validate_dict(document)
    print(f"STAC: {len(found)} documents are sound")
    return {"stac_sound": len(found)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--only", default=",".join(PARTS))
    chosen = parser.parse_args()
    url, user, password = os.environ.get("HDQ_URL", "http://127.0.0.1:8470"), os.environ["HDQ_USER"], os.environ["HDQ_PASSWORD"]
    found: dict[str, object] = {}
    for part in chosen.only.split(","):
        if part == "suite":
            found |= suite(url, user, password) | {"mends": len(MENDS)}
        elif part == "frames":
            found |= frames(url, user, password)
        elif part == "ogr2ogr":
            found |= ogr2ogr(url, user, password)
        elif part == "fuzz":
            found |= fuzz(url, user, password, chosen.cases)
        else:
            found |= stac(url, user, password)
    print(json.dumps(found))
    if found.get("fuzz_5xx") or max(float(found.get(name) or 0) for name in ("frames_worst_m", "ogr2ogr_worst_m")) > 1:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
