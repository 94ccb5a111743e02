"""Radiometric JPEGs: FLIR's temperatures against another reader's figures, DJI's refused, damaged files named."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grid.errors import HdqError, InvalidInput, NotFound, UnsupportedMedia
from imagery.scenes import thermal

FLYR = {"FLIR_AX8": ((60, 80), 24.3597, 25.0308, 25.4692), "FLIR_E40": ((120, 160), 17.8759, 21.0894, 24.7004)}
"""Shape, lowest, mean and highest °C by flyr 5.1.0, which lets the air lie half before and half behind the window (0.03 °C at 2 m)."""


@pytest.mark.parametrize("name", FLYR)
def test_flir_temperatures_agree_with_another_reader(real_data: Callable[[str], Path], name: str) -> None:
    shape, low, mean, high = FLYR[name]
    found = thermal.read_thermal(real_data(f"drone/thermal/{name}.jpg"))
    assert found.celsius.shape == found.raw.shape == shape
    assert found.model == name.replace("_", " ")
    assert [found.celsius.min(), found.celsius.mean(), found.celsius.max()] == pytest.approx([low, mean, high], abs=0.04)
    assert found.accuracy_c == 2.0


@pytest.mark.parametrize("name", ["DJI_H20T", "h20n_gps_gimbal", "m30t_1", "m3t_1"])
def test_dji_is_refused_and_its_sdk_named(real_data: Callable[[str], Path], name: str) -> None:
    with pytest.raises(UnsupportedMedia, match="327,680 raw words") as refusal:
        thermal.read_thermal(real_data(f"drone/thermal/{name}.jpg"))
    assert "Thermal SDK" in refusal.value.remedy


def test_a_photo_has_no_temperatures(real_data: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMedia, match="no radiometric data"):
        thermal.read_thermal(real_data("drone/photo/oblique_highway.jpeg"))
    with pytest.raises(NotFound):
        thermal.read_thermal(tmp_path / "none.jpg")
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(UnsupportedMedia, match="begins with"):
        thermal.read_thermal(tmp_path / "text.jpg")


def test_black_body_without_air_is_planck_by_hand() -> None:
    """R1 / (R2 (exp(B / T) − F)) − O with E40's constants at 30 °C: exp(1395.7 / 303.15) = 99.882, 14866.51 / (0.01108648 · 98.882) + 5859 = 19420.2."""
    constants = thermal._Constants(14866.513671875, 0.01108647882938385, 1395.699951171875, 1.0, -5859.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    body = thermal.Scenery(1.0, 0.0, 20.0, 20.0, 0.5, 20.0, 1.0)
    assert constants.word(30.0) == pytest.approx(19420.2, abs=0.1)
    words = np.array([[constants.word(30.0), constants.word(-20.0), 5000.0]])
    celsius = thermal._celsius(words, constants, body)
    assert celsius[0, :2].tolist() == pytest.approx([30.0, -20.0], abs=1e-4)
    assert np.isnan(celsius[0, 2]), "a word below the offset has no temperature"


def test_emissivity_and_distance_of_the_caller_count(real_data: Callable[[str], Path]) -> None:
    path = real_data("drone/thermal/FLIR_E40.jpg")
    as_set, metal = thermal.read_thermal(path), thermal.read_thermal(path, emissivity=0.5)
    assert metal.scenery.emissivity == 0.5 and metal.celsius.max() > as_set.celsius.max() + 1
    assert thermal.read_thermal(path, distance_m=100).celsius.max() > as_set.celsius.max()
    with pytest.raises(InvalidInput, match="emissivity 0"):
        thermal.read_thermal(path, emissivity=0.0)


@pytest.fixture(scope="module")
def flir(real_data: Callable[[str], Path]) -> bytes:
    return real_data("drone/thermal/FLIR_E40.jpg").read_bytes()


@pytest.mark.parametrize("share", [0.001, 0.05, 0.2, 0.5])
def test_a_cut_file_is_named(flir: bytes, tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(flir[: int(len(flir) * share)])
    with pytest.raises(InvalidInput, match="cut.jpg"):
        thermal.read_thermal(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 3200), st.integers(0, 255)), min_size=1, max_size=8))
def test_hostile_bytes_give_temperatures_or_a_refusal(flir: bytes, tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    """Bytes anywhere in the container's head, its list of records and the camera's constants."""
    content = bytearray(flir)
    start = flir.index(b"FLIR\0\x01")
    for offset, value in changes:
        content[start + offset] = value
    path = tmp_path / "hostile.jpg"
    path.write_bytes(content)
    try:
        said = thermal.read_thermal(path).celsius.size <= thermal.MOST_PIXELS
    except HdqError as refusal:
        said = bool(refusal.remedy)
    assert said


def test_a_bomb_of_records_or_pixels_is_refused(flir: bytes, tmp_path: Path) -> None:
    start = flir.index(b"FLIR\0\x01") + 8
    path = tmp_path / "bomb.jpg"
    many = bytearray(flir)
    struct.pack_into(">I", many, start + 0x1C, 2**31)
    path.write_bytes(many)
    with pytest.raises(InvalidInput, match="2147483648 records"):
        thermal.read_thermal(path)
    wide = bytearray(flir)
    struct.pack_into("<HH", wide, start + 3872 + 2, 65535, 65535)
    path.write_bytes(wide)
    with pytest.raises(HdqError, match="65535"):
        thermal.read_thermal(path)
