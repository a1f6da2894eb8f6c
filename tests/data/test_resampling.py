import pytest
import torch

from sonotempo.data.resampling import displace, resample, spread

CPU = torch.device("cpu")


def test_control_points_spread_as_bicubic_interpolation() -> None:
    control = torch.rand(4, 4, generator=torch.Generator().manual_seed(0))
    weights = spread(4, 20, CPU)
    expected = torch.nn.functional.interpolate(
        control[None, None], size=(20, 20), mode="bicubic", align_corners=True
    )
    torch.testing.assert_close(weights @ control @ weights.T, expected[0, 0])
    torch.testing.assert_close(weights.sum(1), torch.ones(20))


def test_one_displacement_for_all_equals_one_each() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(6, 32, 32, generator=generator)
    masks = (images * 4).to(torch.uint8)
    shift = torch.rand(1, 2, 32, 32, generator=generator) * 4
    shared = resample(images, masks, shift, 0.1)
    apart = resample(images, masks, shift.expand(6, -1, -1, -1), 0.1)
    torch.testing.assert_close(shared[0], apart[0])
    assert torch.equal(shared[1], apart[1])


@pytest.mark.parametrize("size", [32, 128])
def test_no_displacement_reads_exact_pixels(size: int) -> None:
    images = torch.rand(2, size, size, generator=torch.Generator().manual_seed(0))
    assert torch.equal(displace(images, torch.zeros(2, 2, size, size)), images)


def test_half_a_pixel_reads_the_mean_of_two() -> None:
    images = torch.tensor([0.0, 1.0, 0.0, 0.0]).expand(1, 4, 4)
    shift = torch.zeros(1, 2, 4, 4)
    shift[:, 0] = 0.5
    assert displace(images, shift)[0, 0].tolist() == [0.5, 0.5, 0, 0]
