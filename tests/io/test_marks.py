"""Marks of a recording: from its stream, in a table next to it."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.recordings import make_recording
from sonotempo.errors import RecordingError
from sonotempo.io.marks import Mark, marks_path, read_marks, write_marks
from sonotempo.io.stream_recording import StreamRecording


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return make_recording(tmp_path_factory.mktemp("marks"), 8, numbers=range(10, 18))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    marks=st.lists(
        st.builds(
            Mark,
            st.integers(0, 7),
            st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1),
        )
    )
)
def test_marks_that_were_written_are_read_the_same(recording, marks):
    write_marks(marks_path(recording), recording, marks)
    assert read_marks(recording) == tuple(sorted(marks))
    marks_path(recording).unlink()


def test_the_table_has_time_frame_number_and_mark(recording, tmp_path):
    write_marks(tmp_path / "marks.csv", recording, [Mark(3, "block done"), Mark(1, "needle, in")])
    rows = list(csv.reader((tmp_path / "marks.csv").read_text("utf-8").splitlines()))
    assert rows == [
        ["time_s", "frame", "mark"],
        ["0.050", "11", "needle, in"],
        ["0.150", "13", "block done"],
    ]


def test_marks_of_a_stream_are_on_the_frames_that_were_shown(tmp_path):
    plain = make_recording(tmp_path, 3)
    facts = {name: getattr(plain, name) for name in ("source", "subject", "name", "images")}
    events = (
        (5, "mark", "early"),
        (35, "mark", "needle in"),
        (35, "depth", "4 cm"),
        (99, "mark", "end"),
    )
    stream = StreamRecording(
        **facts,
        timestamps_ns=plain.timestamps_ns,
        structures=plain.structures,
        host_ns=np.array([10, 30, 50]),
        areas=(None,) * 3,
        events=events,
    )
    assert read_marks(stream) == (Mark(0, "early"), Mark(1, "needle in"), Mark(2, "end"))
    write_marks(marks_path(stream), stream, [Mark(2, "end")])
    assert read_marks(stream) == (Mark(2, "end"),)  # the table holds all once there is one
    assert read_marks(replace(plain, source=tmp_path / "other")) == ()


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "time_s,frame,mark\n0,999,x\n", "time_s,frame,mark\n0.1,11\n"]
)
def test_a_damaged_table_is_one_sentence(tmp_path, text):
    recording = make_recording(tmp_path, 4, numbers=range(10, 14))
    marks_path(recording).write_text(text)
    if text:
        with pytest.raises(RecordingError, match="is no table of marks"):
            read_marks(recording)
    else:
        assert read_marks(recording) == ()
