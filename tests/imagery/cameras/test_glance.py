"""A glance at a JPEG sees what its full picture shows at that size, and lets everything through that it cannot judge."""

import cv2
import numpy as np
import pytest

from imagery.cameras import frames
from imagery.cameras.glance import Glances, glance
from imagery.cameras.health import thumb


@pytest.fixture
def scene() -> np.ndarray:
    random = np.random.default_rng(5)
    rough = random.integers(40, 200, (27, 48, 3), dtype=np.uint8)
    return cv2.resize(rough, (1920, 1080), interpolation=cv2.INTER_CUBIC)


def jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def test_it_is_the_thumb_of_the_full_picture(scene):
    content = jpeg(scene)
    away = np.abs(glance(content).grey.astype(int) - thumb(frames.decode(content)).grey)
    assert away.mean() < 1.0 and away.max() <= 4


def test_noise_does_not_pass_and_what_appears_does(scene):
    gate, random = Glances(), np.random.default_rng(6)
    noisy = [np.clip(scene + random.normal(0, 3, scene.shape), 0, 255).astype(np.uint8) for _ in range(4)]
    assert [gate.passes(jpeg(image)) for image in noisy] == [True, False, False, False]
    noisy[3][400:520, 900:1020] = 255
    assert gate.passes(jpeg(noisy[3])) and not gate.passes(jpeg(noisy[3])) and gate.passes(jpeg(noisy[0]))


def test_what_cannot_be_glanced_at_is_decoded(scene):
    gate = Glances()
    small = jpeg(scene[:300, :400])
    png = cv2.imencode(".png", scene)[1].tobytes()
    for content in (small, small, png, png, b"", b"\xff\xd8\xffbroken", b"\xff\xd8\xffbroken"):
        assert gate.passes(content)
