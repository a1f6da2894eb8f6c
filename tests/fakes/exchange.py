"""Small data sets to be exported, and what comes back."""

import atexit
import functools
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fakes.recordings import make_recording
from sonotempo.exchange.incoming import ImportRequest, write_incoming
from sonotempo.exchange.outgoing import outgoing
from sonotempo.exchange.sources import read
from sonotempo.exchange.targets import Export, export, target_named
from sonotempo.io import open_dataset
from sonotempo.structures import NERVE_VESSEL

SUBJECTS = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,7}", fullmatch=True)
SHAPES = st.tuples(st.integers(1, 11), st.integers(1, 11))


def masks(shape_HW):
    """Any mask: dots, lines, holes, nothing."""
    return hnp.arrays(np.uint8, shape_HW, elements=st.integers(0, 2))


@st.composite
def recordings(draw, *, labelled_only=False):
    """One to three recordings of different subjects, with gaps, times, spacing or without."""
    subjects = draw(st.lists(SUBJECTS, min_size=1, max_size=3, unique_by=str.casefold))
    return [_recording(draw, subject, labelled_only=labelled_only) for subject in subjects]


def _recording(draw, subject, *, labelled_only):
    count, shape_HW = draw(st.integers(1, 4)), draw(SHAPES)
    numbers = np.cumsum(draw(st.lists(st.integers(1, 300), min_size=count, max_size=count)))
    pauses = st.lists(st.integers(1, 200_000), min_size=count, max_size=count)
    has_mask = [True] + [draw(st.booleans()) or labelled_only for _ in range(count - 1)]
    sides = st.floats(0.01, 0.9).map(lambda mm: round(mm, 4))
    made = make_recording(
        _folder(),
        count,
        numbers=numbers,
        masks={i: draw(masks(shape_HW)) for i in range(count) if has_mask[i]},
        shape_HW=shape_HW,
        subject=subject,
        name=f"{subject}/sequence",
        spacing_mm=draw(st.none() | st.tuples(sides, sides)),
        rate_is_assumed=draw(st.booleans()) and count > 1,
    )
    return replace(made, timestamps_ns=np.cumsum(draw(pauses)).astype(np.int64) * 1000)


@functools.cache
def _folder():
    """A folder for the file that a recording must have; removed at the end."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def export_to(name, folder, made, *, all_frames=False, shapes="masks"):
    """Export recordings of nerves and vessels."""
    target = target_named(name, all_frames=all_frames, shapes=shapes)
    export(target, Export(folder, outgoing(made, all_frames=all_frames), NERVE_VESSEL, shapes))


def import_from(name, source, folder, **options):
    """Import a data set of nerves and vessels and open it."""
    write_incoming(read(name, ImportRequest(source, NERVE_VESSEL, **options)), folder)
    return by_name(open_dataset(folder, NERVE_VESSEL, layout="annotation_web"))


def by_name(dataset):
    """The recordings of a data set, none of which may have been skipped."""
    assert dataset.skipped == ()
    return {one.name: one for one in dataset.recordings}


def assert_same(back, made, *, all_frames=False, times=True, spacing=True):
    """Everything that a format holds has come back."""
    assert set(back) == {one.name for one in made}
    for one in made:
        found = back[one.name]
        indices = range(len(one)) if all_frames else one.labelled
        assert found.subject == one.subject
        assert found.frame_numbers.tolist() == [int(one.frame_numbers[i]) for i in indices]
        for at, index in enumerate(indices):
            np.testing.assert_array_equal(found[at].image_HW, one[index].image_HW)
            mask_HW = one.mask(index)
            if mask_HW is None:
                assert found.mask(at) is None
            else:
                np.testing.assert_array_equal(found.mask(at), mask_HW)
        assert found.spacing_mm == (one.spacing_mm if spacing else None)
        if len(indices) > 1:
            assert found.rate_is_assumed == (one.rate_is_assumed or not times)
        if times and not one.rate_is_assumed:
            kept_ns = one.timestamps_ns[list(indices)]
            assert found.timestamps_ns.tolist() == (kept_ns - kept_ns[0]).tolist()
