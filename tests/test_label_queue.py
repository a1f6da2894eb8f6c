from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonotempo.errors import ConfigError
from sonotempo.label_queue import DoubtfulFrame, label_queue


def frame(number, *, dice=0.9, confidence=0.9, distance=5, recording="a/one", structure="nerve"):
    subject = recording.split("/")[0]
    structure = structure if dice is not None else ""
    return DoubtfulFrame(subject, recording, number, 0.0, dice, structure, confidence, distance)


def numbers(queue):
    return [one.doubt.frame for one in queue]


@pytest.mark.parametrize(
    "doubtful", [{"dice": 0.1}, {"confidence": 0.5}, {"distance": 90}, {"distance": None}]
)
def test_each_sign_alone_puts_a_frame_first(doubtful):
    frames = [frame(n * 20) for n in range(5)] + [frame(200, **doubtful)]
    (first,) = label_queue(frames, 1)
    assert first.doubt.frame == 200
    assert first.score > 0.5


def test_why_a_frame_is_there_is_said():
    plain = [frame(n * 20) for n in range(8)]
    odd = frame(500, dice=0.1, confidence=0.4, distance=40, structure="vessel")
    (one,) = label_queue([*plain, odd], 1)
    assert one.reason == "the arms disagree on vessel; low confidence; far from any label"
    (new,) = label_queue([*plain, frame(0, recording="b/two", distance=None)], 1)
    assert new.reason == "nothing of this recording is labelled"
    (near,) = label_queue([frame(1, distance=3), frame(2, distance=1)], 1, apart=10)
    assert near.reason == "most in doubt of what is left"


def test_where_no_model_shows_anything_there_is_no_disagreement():
    frames = [frame(0, dice=None), frame(20, dice=0.95), frame(40, dice=0.2)]
    assert numbers(label_queue(frames, 3)) == [40, 20, 0]
    assert "disagree" not in label_queue([frame(0, dice=None)], 1)[0].reason


def test_neighbours_are_left_out_and_other_recordings_come_to_their_turn():
    frames = [frame(n, dice=0.1) for n in range(30)] + [frame(n, recording="b/x") for n in (3, 4)]
    queue = label_queue(frames, 10, per_recording=2, apart=10)
    found = [(one.doubt.recording, one.doubt.frame) for one in queue]
    assert found == [("a/one", 0), ("a/one", 10), ("b/x", 3)]


@given(
    st.lists(
        st.builds(
            frame,
            st.integers(0, 50),
            dice=st.none() | st.floats(0, 1),
            confidence=st.floats(0, 1),
            distance=st.none() | st.integers(1, 50),
            recording=st.sampled_from(["a/one", "a/two", "b/one"]),
        ),
        max_size=60,
    ),
    st.integers(1, 20),
    st.integers(1, 5),
    st.integers(1, 20),
)
def test_a_queue_is_short_spread_and_in_order(frames, count, per_recording, apart):
    queue = label_queue(frames, count, per_recording=per_recording, apart=apart)
    assert len(queue) <= count
    assert bool(queue) == bool(frames)
    assert all(one.doubt in frames and 0 <= one.score <= 1 and one.reason for one in queue)
    assert [one.score for one in queue] == sorted((one.score for one in queue), reverse=True)
    recordings = [one.doubt.recording for one in queue]
    assert all(recordings.count(name) <= per_recording for name in recordings)
    for one, other in combinations((one.doubt for one in queue), 2):
        assert one.recording != other.recording or abs(one.frame - other.frame) >= apart
    assert queue == label_queue(frames, count, per_recording=per_recording, apart=apart)


@pytest.mark.parametrize("wrong", [{"count": 0}, {"per_recording": 0}, {"apart": -1}])
def test_numbers_that_make_no_queue_are_refused(wrong):
    count = wrong.pop("count", 3)
    with pytest.raises(ConfigError, match="is not positive; give 1 or more"):
        label_queue([], count, **wrong)
