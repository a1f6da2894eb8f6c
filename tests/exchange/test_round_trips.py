"""What was exported comes back: pixels, frames, subjects, and spacing and times where they fit."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from fakes.exchange import assert_same, by_name, export_to, import_from, recordings
from sonotempo.io import open_dataset
from sonotempo.structures import NERVE_VESSEL

some = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("shapes", ["masks", "polygons"])
@given(made=recordings())
@some
def test_coco(made, shapes):
    with tempfile.TemporaryDirectory() as folder:
        out, back = Path(folder) / "out", Path(folder) / "back"
        export_to("coco", out, made, shapes=shapes)
        assert_same(import_from("coco", out, back), made)


@given(made=recordings())
@some
def test_nifti(made):
    with tempfile.TemporaryDirectory() as folder:
        out, back = Path(folder) / "out", Path(folder) / "back"
        export_to("nifti", out, made)
        assert_same(import_from("nifti", out, back), made)


@pytest.mark.parametrize("shapes", ["masks", "polygons"])
@given(made=recordings(labelled_only=True))
@some
def test_cvat(made, shapes):
    with tempfile.TemporaryDirectory() as folder:
        out, back = Path(folder) / "out", Path(folder) / "back"
        export_to("cvat", out, made, shapes=shapes)
        found = import_from("cvat", out, back, empty_frames=True)
        assert_same(found, made, times=False, spacing=False)


@pytest.mark.parametrize("all_frames", [False, True])
@given(made=recordings())
@some
def test_annotation_web(made, all_frames):
    with tempfile.TemporaryDirectory() as folder:
        export_to("annotation-web", Path(folder) / "out", made, all_frames=all_frames)
        back = by_name(open_dataset(Path(folder) / "out", NERVE_VESSEL, layout="annotation_web"))
        assert_same(back, made, all_frames=all_frames)


@pytest.mark.parametrize("shapes", ["masks", "polygons"])
@given(made=recordings())
@some
def test_labelme(made, shapes):
    with tempfile.TemporaryDirectory() as folder:
        export_to("labelme", Path(folder) / "out", made, shapes=shapes, all_frames=True)
        back = by_name(open_dataset(Path(folder) / "out", NERVE_VESSEL, layout="annotation_web"))
        assert_same(back, made, all_frames=True, times=False, spacing=False)
