import numpy as np
import pytest

from sonotempo.live.continuity import Continuity
from sonotempo.recording import Box, Frame

MS = 1_000_000


def frame(ms, *, shape_HW=(8, 10), spacing_mm=(0.1, 0.1), area=None):
    return Frame(np.zeros(shape_HW, np.uint8), 0, ms * MS, spacing_mm, area)


def reasons(*frames, max_gap_ms=100.0, host_ms=None):
    rules = Continuity(max_gap_ms)
    hosts = host_ms or [0] * len(frames)
    return [rules.broken_by(one, ms * MS) for one, ms in zip(frames, hosts, strict=True)]


def test_a_steady_stream_breaks_at_its_start_alone():
    assert reasons(*(frame(50 * i) for i in range(5))) == ["start", None, None, None, None]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"shape_HW": (8, 12)}, "size"),
        ({"spacing_mm": (0.2, 0.2)}, "spacing"),
        ({"spacing_mm": None}, "spacing"),
        ({"area": Box(0, 0, 4, 4)}, "area"),
    ],
)
def test_a_change_of_geometry_breaks_the_stream_once(change, reason):
    found = reasons(frame(0), frame(50, **change), frame(100, **change))
    assert found == ["start", reason, None]


def test_a_gap_beyond_the_limit_breaks_the_stream():
    assert reasons(frame(0), frame(100), frame(201)) == ["start", None, "gap"]


def test_a_clock_that_goes_back_was_restarted():
    assert reasons(frame(1000), frame(0), frame(50)) == ["start", "gap", None]


def test_a_recording_played_slowly_keeps_its_state():
    found = reasons(frame(0), frame(50), frame(100), host_ms=[0, 1000, 2000])
    assert found == ["start", None, None]


def test_a_probe_clock_that_stands_still_leaves_it_to_the_hosts():
    found = reasons(frame(0), frame(0), frame(0), host_ms=[0, 50, 1000])
    assert found == ["start", None, "gap"]
