import io

import numpy as np
import pytest
import torch
from PIL import Image

from sonotempo.data.jpeg import jpeg, quantisation


def textured(size: int = 64, images: int = 2) -> torch.Tensor:
    """Smooth shades with speckle, uint8 THW."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(images, 1, 8, 8, generator=generator)
    shades = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")[:, 0]
    speckle = 0.5 + torch.rand(images, size, size, generator=generator)
    return (shades.clamp(0, 1) * speckle * 200).clamp(0, 255).to(torch.uint8)


def through_pillow(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("quality", [5, 15, 49, 50, 80, 95, 100])
def test_it_equals_pillow_but_for_rounding(quality: int) -> None:
    images = textured()
    expected = np.stack([through_pillow(image, quality) for image in images.numpy()])
    compressed = jpeg(images.float() / 255, quality) * 255
    difference = compressed - torch.from_numpy(expected).float()
    # libjpeg's transforms are in whole numbers: now and then a coefficient rounds the other way.
    assert difference.abs().mean() < 0.5
    assert difference.mean().abs() < 0.1


def test_the_steps_are_those_that_pillow_writes() -> None:
    file = io.BytesIO()
    Image.fromarray(textured()[0].numpy()).save(file, "JPEG", quality=30)
    written = Image.open(file).quantization[0]
    assert quantisation(30).flatten().tolist() == written


def test_lower_quality_loses_more() -> None:
    images = textured().float() / 255
    losses = [float((jpeg(images, quality) - images).abs().mean()) for quality in (90, 50, 10)]
    assert losses == sorted(losses)


def test_black_stays_black() -> None:
    assert jpeg(torch.zeros(1, 16, 16), 20).max() == 0


@pytest.mark.parametrize("quality", [0, 101])
def test_a_quality_that_does_not_exist_is_refused(quality: int) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        jpeg(torch.zeros(1, 8, 8), quality)


def test_a_size_that_blocks_do_not_fill_is_refused() -> None:
    with pytest.raises(ValueError, match="20x20"):
        jpeg(torch.zeros(1, 20, 20), 50)
