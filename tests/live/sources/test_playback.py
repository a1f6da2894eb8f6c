"""Playing a recording: its own pace, and every control tells what follows."""

import threading
import time

import numpy as np
import pytest

from fakes.recordings import make_recording
from sonotempo.errors import RecordingError, SourceError
from sonotempo.framing import Framing
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.sources.playback import PlaybackSource
from sonotempo.recording import Box

PERIOD_NS = 50_000_000  # of the recordings here


@pytest.fixture
def buffer():
    with RingBuffer(seconds=4, rate_hz=100, height_px=40, width_px=48) as made:
        yield made


class Playing:
    """A source in action, and what has come of it so far."""

    def __init__(self, source, buffer):
        self.source, self.buffer = source, buffer
        self.reader = buffer.reader("now")
        self.log = []

    def __enter__(self):
        self.source.start(self.buffer)
        return self

    def __exit__(self, *_):
        self.source.stop()
        self.reader.close()

    def read(self, count, timeout_s=10):
        frames = []
        while len(frames) < count:
            assert self.reader.wait(timeout_s), f"only {len(frames)} of {count} frames came"
            frames.append(self.reader.next())
        return frames

    def nothing_comes(self, seconds=0.15):
        return not self.reader.wait(seconds)

    def kinds(self):
        self.log += self.source.events()
        return [event.kind for event in self.log]

    def until(self, condition, timeout_s=10):
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.005)


def indices(frames):
    """Which frames of the recording these are, by their time stamps."""
    return [streamed.probe_ns // PERIOD_NS for streamed in frames]


def test_frames_come_whole_in_order_and_then_it_ends(tmp_path, buffer):
    recording = make_recording(tmp_path, 12, spacing_mm=(0.2, 0.1), area=Box(0, 1, 30, 40))
    with Playing(PlaybackSource(recording, rate=20), buffer) as playing:
        frames = playing.read(12)
        for i, streamed in enumerate(frames):
            np.testing.assert_array_equal(streamed.frame.image_HW, recording[i].image_HW)
            assert streamed.frame.spacing_mm == (0.2, 0.1)
            assert streamed.frame.area == Box(0, 1, 30, 40)
        assert indices(frames) == list(range(12))
        playing.until(lambda: playing.source.state == "ended")
        assert playing.kinds() == ["connected", "ended"]
        assert playing.source.position == 11
    assert playing.source.state == "stopped"


@pytest.mark.parametrize("rate", [1.0, 4.0])
def test_the_pace_is_that_of_the_time_stamps_times_the_rate(tmp_path, buffer, rate):
    recording = make_recording(tmp_path, 14)
    uneven = np.cumsum([0, 1, 3, 1, 1, 4, 1, 1, 1, 2, 1, 1, 1, 1]) * 20_000_000
    object.__setattr__(recording, "timestamps_ns", uneven.astype(np.int64))
    with Playing(PlaybackSource(recording, rate=rate), buffer) as playing:
        frames = playing.read(14)
    passed_ns = np.array([f.host_ns - frames[0].host_ns for f in frames])
    assert np.median(np.abs(passed_ns - uneven / rate)) < 5e6
    assert passed_ns[-1] >= uneven[-1] / rate - 1e6
    assert [f.probe_ns for f in frames] == uneven.tolist()


def test_a_loop_announces_each_return_to_the_start(tmp_path, buffer):
    source = PlaybackSource(make_recording(tmp_path, 5), rate=20, loop=True)
    with Playing(source, buffer) as playing:
        frames = playing.read(13)
        assert indices(frames) == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2]
        playing.kinds()
        seeks = [event for event in playing.log if event.kind == "seek"]
        for seek, before, after in zip(seeks, frames[4::5], frames[5::5], strict=False):
            assert before.host_ns <= seek.host_ns <= after.host_ns
        assert len(seeks) >= 2
        gap_ns = frames[5].host_ns - frames[4].host_ns
        assert gap_ns == pytest.approx(PERIOD_NS / 20, abs=20e6)


@pytest.mark.parametrize("at", [0, 5, 11])
def test_switching_loop_off_ends_the_round_that_is_playing(tmp_path, buffer, at):
    """Frames of the next round have been read ahead by then."""
    source = PlaybackSource(make_recording(tmp_path, 12), rate=20, loop=True)
    with Playing(source, buffer) as playing:
        source.pause()
        source.seek(at)
        playing.until(lambda: source.position == at and len(source._ahead) == 16)
        while playing.reader.next():
            pass
        source.loop = False
        source.resume()
        playing.until(lambda: source.state == "ended")
        assert indices(playing.read(11 - at)) == list(range(at + 1, 12))
        assert playing.nothing_comes(0.05)
        source.loop = True
        source.resume()
        assert indices(playing.read(13)) == [*range(12), 0]


def test_pausing_stops_the_frames_and_resuming_goes_on_without_a_seek(tmp_path, buffer):
    source = PlaybackSource(make_recording(tmp_path, 60))
    with Playing(source, buffer) as playing:
        playing.read(2)
        source.send("freeze")
        assert source.state == "frozen"
        rest = []
        while (streamed := playing.reader.next()) is not None:
            rest.append(streamed)
        assert playing.nothing_comes()
        source.pause()  # again: nothing more happens
        source.send("freeze")
        assert source.state == "running"
        assert indices(playing.read(2))[0] == 2 + len(rest)
        assert playing.kinds() == ["connected", "frozen", "running"]


def test_steps_show_one_frame_each_and_a_step_back_is_a_seek(tmp_path, buffer):
    source = PlaybackSource(make_recording(tmp_path, 60), rate=5)
    with Playing(source, buffer) as playing:
        playing.read(3)
        source.pause()
        while playing.reader.next():
            pass
        here = source.position
        for by, there in [(1, here + 1), (1, here + 2), (-1, here + 1), (-1, here), (1, here + 1)]:
            source.step(by)
            assert indices(playing.read(1)) == [there]
            assert source.position == there
        assert playing.nothing_comes(0.1)
        assert source.state == "frozen"
        assert playing.kinds() == ["connected", "frozen", "seek", "seek"]
        source.resume()
        assert indices(playing.read(1)) == [here + 2]


def test_a_seek_drops_what_was_read_ahead_and_comes_before_its_frame(tmp_path, buffer):
    source = PlaybackSource(make_recording(tmp_path, 60), rate=5)
    with Playing(source, buffer) as playing:
        playing.read(3)
        source.seek(40)
        frames = playing.read(5)
        while frames[0].probe_ns < 40 * PERIOD_NS:  # written before the seek
            frames = [*frames[1:], *playing.read(1)]
        assert indices(frames) == [40, 41, 42, 43, 44]
        playing.kinds()
        (seek,) = [event for event in playing.log if event.kind == "seek"]
        assert seek.host_ns <= frames[0].host_ns
        assert seek.detail == "to frame 40"
        source.pause()
        source.seek(7)
        playing.until(lambda: source.position == 7)
        assert source.state == "frozen"


def test_after_the_end_a_seek_a_step_back_or_resuming_goes_on(tmp_path, buffer):
    source = PlaybackSource(make_recording(tmp_path, 4), rate=50)
    with Playing(source, buffer) as playing:

        def ended():
            return source.state == "ended"

        playing.read(4)
        playing.until(ended)
        source.step(1)
        assert playing.nothing_comes(0.05)
        source.resume()
        assert indices(playing.read(4)) == [0, 1, 2, 3]
        playing.until(ended)
        source.seek(2)
        assert indices(playing.read(2)) == [2, 3]
        playing.until(ended)
        source.step(-1)
        assert indices(playing.read(1)) == [2]
        assert source.state == "frozen"
        for _ in range(3):
            source.step(1)
        assert indices(playing.read(1)) == [3]
        assert playing.nothing_comes(0.05)


def test_frames_that_cannot_be_read_are_named_and_the_rest_is_played(tmp_path, buffer):
    broken = {2: RecordingError("a.mp4 is damaged there"), 4: OSError("gone")}
    recording = make_recording(tmp_path, 7, broken=broken, numbers=range(10, 17))
    with Playing(PlaybackSource(recording, rate=20), buffer) as playing:
        assert indices(playing.read(5)) == [0, 1, 3, 5, 6]
        playing.kinds()
        errors = [event.detail for event in playing.log if event.kind == "error"]
    assert errors == [
        "frame 12 cannot be read: a.mp4 is damaged there",
        "frame 14 cannot be read: OSError: gone",
    ]


def test_frames_too_large_for_the_buffer_are_named(tmp_path):
    recording = make_recording(tmp_path, 3)
    with RingBuffer(seconds=1, rate_hz=9, height_px=20, width_px=20) as small:
        source = PlaybackSource(recording, rate=50)
        source.start(small)
        try:
            end = time.monotonic() + 10
            while source.state != "ended" and time.monotonic() < end:
                time.sleep(0.005)
            errors = [event.detail for event in source.events() if event.kind == "error"]
        finally:
            source.stop()
    assert len(errors) == 3
    assert "frame 0 cannot be played" in errors[0]
    assert "40x48 pixels (rows x columns) does not fit the buffer's 20x20" in errors[0]


class SlowNowAndThen:
    """Frames of which every eighth takes long to decode."""

    def __len__(self):
        return 40

    def __getitem__(self, index):
        if index % 8 == 7:
            time.sleep(0.08)
        return np.full((40, 48), index, np.uint8)


def test_reading_ahead_hides_frames_that_take_long_to_decode(tmp_path, buffer):
    recording = make_recording(tmp_path, 40)
    object.__setattr__(recording, "images", SlowNowAndThen())
    with Playing(PlaybackSource(recording, rate=2), buffer) as playing:
        frames = playing.read(40)
    gaps_ms = np.diff([f.host_ns for f in frames[8:]]) / 1e6
    assert np.median(gaps_ms) == pytest.approx(25, abs=5)
    assert np.percentile(gaps_ms, 90) < 60  # a frame of 80 ms every 8 would show here


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
def test_a_rate_that_is_not_positive_is_refused(tmp_path, rate):
    with pytest.raises(SourceError, match="playback rate"):
        PlaybackSource(make_recording(tmp_path, 2), rate=rate)


def test_what_a_recording_cannot_do_is_refused_with_what_it_can(tmp_path, buffer):
    source = PlaybackSource(make_recording(tmp_path, 9))
    with pytest.raises(SourceError, match="not playing"):
        source.seek(0)
    with Playing(source, buffer):
        with pytest.raises(SourceError, match=r"'depth\+'.*Options: freeze"):
            source.send("depth+")
        with pytest.raises(SourceError, match="expected 0 to 8"):
            source.seek(9)
        with pytest.raises(SourceError, match="expected 1 or -1"):
            source.step(2)
        with pytest.raises(SourceError, match="is started already"):
            source.start(buffer)


def test_stopping_ends_every_thread_at_any_time_and_it_can_start_again(tmp_path, buffer):
    before = threading.active_count()
    source = PlaybackSource(make_recording(tmp_path, 9), loop=True)
    for pause_s in (0.0, 0.02, 0.0):
        source.start(buffer)
        time.sleep(pause_s)
        began = time.monotonic()
        source.stop()
        source.stop()
        assert time.monotonic() - began < 1
        assert threading.active_count() == before
    with Playing(source, buffer) as playing:
        assert indices(playing.read(2)) == [0, 1]


def test_what_is_said_of_the_frames_counts_at_once_even_while_paused(tmp_path, buffer):
    area = Box(4, 8, 36, 40)
    with Playing(PlaybackSource(make_recording(tmp_path, 4), loop=True), buffer) as playing:
        before = playing.read(1)[0].frame
        playing.source.pause()
        while playing.reader.wait(0.1):
            before = playing.reader.next().frame
        playing.source.frame_as(Framing((40, 48), area, 0.25))
        (streamed,) = playing.read(1)
        assert (streamed.frame.area, streamed.frame.spacing_mm) == (area, (0.25, 0.25))
        assert (streamed.frame.image_HW == before.image_HW).all(), "the same frame again"
        assert playing.source.state == "frozen"
        playing.source.frame_as(Framing((20, 20)))
        assert playing.read(1)[0].frame.spacing_mm == before.spacing_mm, "for other frames"
