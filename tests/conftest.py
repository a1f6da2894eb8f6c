"""Fixtures that several test folders share."""

import atexit
import gc
import os
import shutil
import tempfile
from pathlib import Path

import pytest

# Each process of the tests opens its windows on its own display, see scripts/_display.py.
_DISPLAYS = os.environ.get("SONOTEMPO_TEST_DISPLAYS", "").split()
if _DISPLAYS:
    _WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    os.environ["DISPLAY"] = _DISPLAYS[int(_WORKER) % len(_DISPLAYS)]


# What programs keep from one session to the next is not the user's own in tests.
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="sonotempo-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_CONFIG_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real ultrasound next to the repository; tests that need it skip without it."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real ultrasound at {folder}")
    return folder


@pytest.fixture(scope="session")
def shapes(tmp_path_factory) -> Path:
    """Four subjects of six labelled frames each, as an Annotation Web export; do not change it."""
    from fakes.shapes import write_shapes

    root = tmp_path_factory.mktemp("shapes") / "data"
    write_shapes(root, 4, 6, 32, seed=0)
    return root


@pytest.fixture(scope="session")
def finished_run(shapes):
    """A complete cross-validation of both arms on the shapes; copy it before changing it."""
    from fakes.experiments import FinishedRun

    return FinishedRun.of(shapes)


def pytest_collection_finish() -> None:
    """Exclude what was imported from garbage collection: napari and statsmodels collect often."""
    gc.collect()
    gc.freeze()
