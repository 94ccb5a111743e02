"""Analyses against labelled pairs: the real Landsat pair, a picture pair, and masks in either coding."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rasterio.transform import from_origin
from typer.testing import CliRunner

from gis_api.commands.evaluate import group
from grid.errors import InvalidInput
from imagery.scenes import evaluation
from imagery.scenes.accuracy import judge
from imagery.scenes.analyses.change_vector import ANALYSIS
from imagery.scenes.raster import write_geotiff


def landsat(real_data) -> list[Path]:
    folder = real_data("satellite/landsat-cn")
    return [folder / f"taizhou_{part}.tif" for part in ("20000317_landsat_b123457", "20030206_landsat_b123457", "truth_0unk_1unchanged_2changed")]


def test_any_change_on_the_real_landsat_pair(real_data) -> None:
    accuracy = evaluation.change(*landsat(real_data), "change_vector")
    assert (accuracy.changed, accuracy.unchanged) == (4227, 17163)
    assert accuracy.auc >= 0.99 and accuracy.f1 >= 0.96, accuracy


def test_what_the_narrow_analyses_make_of_any_change(real_data) -> None:
    """They look for one kind of change each; the truth holds every kind, so the score only has to point the right way."""
    for analysis in ("vegetation_loss", "burn", "built_up"):
        assert evaluation.change(*landsat(real_data), analysis).auc > 0.65, analysis


def test_the_command_ends_with_one_json_object(real_data) -> None:
    before, after, truth = landsat(real_data)
    ran = CliRunner().invoke(group, ["change", "--before", str(before), "--after", str(after), "--truth", str(truth), "--analysis", "change_vector"])
    assert ran.exit_code == 0, ran.output
    figures = json.loads(ran.output.splitlines()[-1])
    assert figures["auc"] >= 0.99 and figures["f1"] >= 0.93 and {"precision", "recall", "iou"} <= figures.keys()
    for baseline in ("irmad", "cva"):
        assert {"auc", "precision", "recall", "f1", "iou"} <= figures[baseline].keys()
        assert 0.95 < figures[baseline]["auc"] < figures["auc"]


def test_pictures_without_georeference(tmp_path: Path) -> None:
    example = ANALYSIS.example()
    for name, pixels in (("a", example.before[:3] / 16), ("b", example.after[:3] / 16)):
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8).transpose(1, 2, 0)).save(tmp_path / f"{name}.png")
    Image.fromarray(example.truth.astype(np.uint8) * 255).save(tmp_path / "truth.png")
    accuracy = evaluation.change(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "truth.png", "change_vector")
    assert accuracy.auc > 0.98
    with pytest.raises(InvalidInput, match="do not both have nir"):
        evaluation.change(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "truth.png", "vegetation_loss")


def test_a_mask_of_another_coding_or_parameters_that_are_not_json_are_refused(tmp_path: Path) -> None:
    example = ANALYSIS.example()
    at = from_origin(240_000, 3_995_000, 10, 10)
    for name, pixels in (("a", example.before), ("b", example.after), ("t", np.arange(48 * 48).reshape(1, 48, 48))):
        write_geotiff(tmp_path / f"{name}.tif", pixels.astype(np.uint16), at, "EPSG:32651")
    paths = [tmp_path / f"{name}.tif" for name in "abt"]
    with pytest.raises(InvalidInput, match="has the values 0, 1, 2, 3"):
        evaluation.change(*paths, "change_vector")
    with pytest.raises(InvalidInput, match="not JSON"):
        evaluation.change(*paths, "change_vector", parameters="{sigmas")


def test_a_mask_of_minus_one_nought_and_one(tmp_path: Path) -> None:
    """Water masks have −1 for unknown, 0 land, 1 water; what is outside the mask is unknown too, not unchanged."""
    example = ANALYSIS.example()
    labels = example.truth.astype(np.int16)
    labels[:3] = -1
    for name, pixels in (("a", example.before), ("b", example.after), ("t", labels[None, :, :40])):
        write_geotiff(tmp_path / f"{name}.tif", pixels.astype(np.int16), from_origin(240_000, 3_995_000, 10, 10), "EPSG:32651")
    accuracy = evaluation.change(*(tmp_path / f"{name}.tif" for name in "abt"), "change_vector", ("blue", "green", "red", "nir"))
    assert accuracy.changed == 256 and accuracy.changed + accuracy.unchanged == 45 * 40
    assert accuracy.auc > 0.98


def test_flood_on_a_real_scene_alone(real_data) -> None:
    """One Sentinel-2 and one Sentinel-1 chip with a hand label; the earlier scene is missing, the same file again, or of another sensor."""
    folder = real_data("satellite/sen1floods11")
    optical, radar, truth = (folder / kind / f"Spain_7370579_{kind.removesuffix('s')}Hand.tif" for kind in ("S2", "S1", "Labels"))
    found = evaluation.change(None, optical, truth, "flood_extent")
    assert (found.changed, found.unchanged) == (70_035, 192_010)
    assert found.auc >= 0.98 and found.iou >= 0.835, found
    assert evaluation.change(optical, optical, truth, "flood_extent") == evaluation.change(radar, optical, truth, "flood_extent") == found
    dark = evaluation.change(None, radar, truth, "flood_sar")
    assert dark.auc >= 0.92 and dark.iou >= 0.62, dark


def test_new_buildings_on_real_pictures(real_data) -> None:
    """Five pictures with new buildings: ahead of the baselines even where those may choose their threshold with the truth, on the average."""
    folder = real_data("satellite/levir")
    analysis = evaluation.analysis_of("buildings_vhr")
    ours, theirs = [], []
    for label in sorted((folder / "label").glob("*.png")):
        labelled = evaluation.load(*(folder / kind / label.name for kind in ("A", "B", "label")), (), analysis)
        found = labelled.judge(analysis)
        if not found.changed:
            assert found.auc is None and found.false_share < 0.06
            continue
        assert found.auc > 0.85 and found.f1 > 0.5, (label.name, found)
        ours.append(found.f1)
        theirs.append(max(baseline.best_f1 for baseline in evaluation.beside(labelled).values()))
        assert ours[-1] > theirs[-1], (label.name, ours[-1], theirs[-1])
    assert len(ours) == 5 and np.mean(ours) > 0.76, ours


def test_one_scene_is_not_compared(tmp_path: Path) -> None:
    example = ANALYSIS.example()
    for name, pixels in (("b", example.after), ("t", example.truth[None].astype(np.uint8))):
        write_geotiff(tmp_path / f"{name}.tif", pixels.astype(np.uint16), from_origin(240_000, 3_995_000, 10, 10), "EPSG:32651")
    with pytest.raises(InvalidInput, match="change_vector compares two scenes"):
        evaluation.change(None, tmp_path / "b.tif", tmp_path / "t.tif", "change_vector")


def test_accuracy_by_hand() -> None:
    """Scores .9 .6 | .6 .1, truth yes yes | no no: pairs won 1 + 1 + ½ + 1 of 4; said yes to .9 and the wrong .6."""
    yes = np.array([True, True, False, False])
    accuracy = judge(np.array([0.9, 0.6, 0.6, 0.1]), np.array([True, False, True, False]), yes, ~yes)
    assert (accuracy.auc, accuracy.precision, accuracy.recall, accuracy.f1, accuracy.iou) == (0.875, 0.5, 0.5, 0.5, 1 / 3)
    assert accuracy.best_f1 == pytest.approx(0.8) and accuracy.false_share == 0.5  # at .6: two right, one wrong, none missed
    quiet = judge(np.array([0.9, 0.1]), np.array([True, False]), np.zeros(2, bool), np.ones(2, bool))
    assert (quiet.auc, quiet.recall, quiet.f1, quiet.best_f1, quiet.false_share) == (None, 0, 0, 0, 0.5)
    with pytest.raises(InvalidInput, match="no changed and no unchanged"):
        judge(np.array([0.9]), np.array([True]), np.array([False]), np.array([False]))
