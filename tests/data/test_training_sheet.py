from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sonotempo.config import AugmentConfig, FaultsConfig, MotionConfig
from sonotempo.data.training_sheet import draw_preview
from sonotempo.structures import NERVE_VESSEL


def draw(out: Path, count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(0)
    frames = [random.integers(0, 100, (32, 32), dtype=np.uint8) for _ in range(count)]
    masks = [np.zeros((32, 32), np.uint8) for _ in range(count)]
    for mask in masks:
        mask[8:16, 8:16] = 2
    draw_preview(
        frames,
        masks,
        NERVE_VESSEL,
        augment=AugmentConfig(),
        faults=FaultsConfig(),
        motion=MotionConfig(),
        out=out,
        seed=seed,
    )
    return np.asarray(Image.open(out).convert("RGB"))


@pytest.mark.parametrize("count", [1, 2])
def test_there_is_a_row_for_each_frame_and_one_for_the_augmentations(
    tmp_path: Path, count: int
) -> None:
    picture = draw(tmp_path / "made" / "preview.png", count)
    height, width = picture.shape[:2]
    assert height / width == pytest.approx((count + 1) / 7, rel=0.25)


def test_outlines_have_their_structure_s_colour(tmp_path: Path) -> None:
    picture = draw(tmp_path / "preview.png", 1).astype(int)
    red = NERVE_VESSEL.structures[1].color_rgb
    assert (np.abs(picture - red).max(-1) < 30).sum() > 50


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    first = draw(tmp_path / "a.png", 1)
    assert np.array_equal(first, draw(tmp_path / "b.png", 1))
    assert not np.array_equal(first, draw(tmp_path / "c.png", 1, seed=1))
