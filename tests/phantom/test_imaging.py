"""Physics of the picture: fully developed speckle, motion, shadow, enhancement, resolution."""

from dataclasses import replace

import numpy as np
import pytest

from sonotempo.phantom.imaging import Imaging, view_of
from sonotempo.phantom.scanners import SCANNERS, axial_sigma_mm, lateral_sigma_mm
from sonotempo.phantom.speckle import Reader, Speckle

SIZE = 256


class Homogeneous:
    """A block of average tissue under one scanner."""

    def __init__(self, scanner, seed=0):
        self.view = view_of(SIZE, 40.0, scanner.aperture_mm)
        self.z, self.x = self.view.axes_mm
        random = np.random.default_rng(seed)
        self.spacing = self.view.spacing_mm
        self.imaging = Imaging(scanner, self.view, self.spacing, random)
        shape = (len(self.z) + 20, len(self.x) + 40)
        self.speckle = Speckle(random, shape, np.empty(0, np.intp))
        self.left = float(self.x[0]) - 20 * self.spacing

    def envelope(self, shift_mm=0.0, loss=0.62, contact=None):
        z, x = np.broadcast_arrays(self.z[:, None], self.x[None, :] + np.float32(shift_mm))
        reader = Reader(x, z, self.left, self.spacing, self.speckle.scatterers_HW.shape)
        field = reader.scatterers(self.speckle.scatterers_HW)
        if contact is None:
            contact = np.ones(len(self.x), np.float32)
        loss = np.broadcast_to(np.asarray(loss, np.float32), field.shape)
        return self.imaging.envelope(field, loss, np.zeros_like(field), contact)

    def rows(self, top_mm, bottom_mm):
        return slice(*np.searchsorted(self.z, (top_mm, bottom_mm)))


@pytest.fixture(scope="module", params=SCANNERS, ids=lambda scanner: scanner.name)
def tissue(request):
    return Homogeneous(replace(request.param, looks=1))


def even(envelope):
    """The envelope without what the time-gain compensation leaves."""
    return envelope / np.sqrt(np.mean(envelope**2, axis=1, keepdims=True))


def test_homogeneous_tissue_is_fully_developed_speckle(tissue):
    envelope = even(tissue.envelope()[tissue.rows(6, 38)])
    assert envelope.mean() / envelope.std() == pytest.approx(1.91, abs=0.08)


def test_looks_even_speckle_out():
    for looks, low, high in ((2, 2.2, 2.8), (3, 2.5, 3.4)):
        block = Homogeneous(replace(SCANNERS[0], looks=looks))
        envelope = even(block.envelope()[block.rows(6, 38)])
        assert low < envelope.mean() / envelope.std() < high


def test_its_envelope_is_rayleigh_distributed(tissue):
    power = np.sort(even(tissue.envelope()[tissue.rows(6, 38)]).ravel() ** 2)
    expected = 1 - np.exp(-power)
    measured = (np.arange(power.size) + 0.5) / power.size
    assert np.abs(measured - expected).max() < 0.02


def test_the_level_is_one_at_every_depth(tissue):
    level = np.sqrt(np.mean(tissue.envelope()[tissue.rows(4, 36)] ** 2, axis=1))
    assert 20 * abs(np.log10(level)).max() < 6.5  # within the compensation's error


def test_speckle_moves_with_the_tissue(tissue):
    rows = tissue.rows(8, 36)
    still = even(tissue.envelope()[rows])
    moved = even(tissue.envelope(shift_mm=4 * tissue.spacing)[rows])
    assert np.corrcoef(still[:, 8:-4].ravel(), moved[:, 4:-8].ravel())[0, 1] > 0.95
    assert np.corrcoef(still.ravel(), moved.ravel())[0, 1] < 0.4


def test_a_tenth_of_a_pixel_changes_speckle_a_little(tissue):
    rows = tissue.rows(8, 36)
    still, moved = (tissue.envelope(shift)[rows] for shift in (0.0, 0.1 * tissue.spacing))
    assert 0.98 < np.corrcoef(still.ravel(), moved.ravel())[0, 1] < 1


def test_below_bone_it_is_dark_and_behind_blood_bright(tissue):
    middle = slice(100, 156)
    beside, below = slice(10, 70), tissue.rows(24, 34)
    for loss, low, high in ((7.0, -200, -30), (0.18, 2.0, 9.0)):
        map_HW = np.full((len(tissue.z), len(tissue.x)), 0.62, np.float32)
        map_HW[tissue.rows(12, 18), middle] = loss
        power = tissue.envelope(loss=map_HW)[below] ** 2
        inner = slice(112, 144)
        ratio_db = 10 * np.log10(power[:, inner].mean() / power[:, beside].mean())
        assert low < ratio_db < high


def test_without_contact_there_is_no_tissue(tissue):
    contact = np.ones(len(tissue.x), np.float32)
    contact[:100] = 0.012
    power = tissue.envelope(contact=contact)[tissue.rows(8, 36)] ** 2
    assert 10 * np.log10(power[:, 10:80].mean() / power[:, 130:].mean()) < -25


def test_speckle_is_wider_than_high_and_widest_off_focus():
    for scanner in SCANNERS:
        at_focus = lateral_sigma_mm(scanner, scanner.focus_mm)
        assert at_focus > axial_sigma_mm(scanner, scanner.focus_mm)
        assert lateral_sigma_mm(scanner, scanner.focus_mm + 20) > 1.5 * at_focus


def test_grey_spans_the_dynamic_range(tissue):
    grey = tissue.imaging.grey(tissue.envelope())
    assert grey.dtype == np.float32
    assert 0 <= grey.min() < grey.mean() < grey.max() <= 255
    black = tissue.imaging.grey(np.zeros_like(tissue.envelope()))
    assert black.max() == 0


@pytest.mark.parametrize(
    ("size", "depth_mm", "aperture_mm"), [(64, 25, 38), (128, 50, 38), (256, 38, 38)]
)
def test_the_picture_lies_at_the_top_in_the_middle(size, depth_mm, aperture_mm):
    view = view_of(size, depth_mm, aperture_mm)
    assert max(view.rows, view.columns) == size
    assert view.rows * view.spacing_mm == pytest.approx(depth_mm, abs=view.spacing_mm)
    z, x = view.axes_mm
    assert len(z) >= 0.6 * 128
    assert x.mean() == pytest.approx(0, abs=1e-4)
    frame = view.framed(np.full((view.rows, view.columns), 9, np.uint8))
    assert frame.shape == (size, size)
    assert frame[0, size // 2] == 9
    assert (frame == 9).sum() == view.rows * view.columns
