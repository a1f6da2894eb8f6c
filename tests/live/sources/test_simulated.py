"""The simulated scanner: it streams for ever, and what is turned shows in its frames."""

import threading
import time
from itertools import pairwise

import numpy as np
import pytest

from sonotempo.errors import ConfigError, SourceError
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.sources.simulated import SimulatedSource
from sonotempo.recording import Box

SMALL = {"height_px": 128, "width_px": 160, "frame_rate_hz": 60.0}


@pytest.fixture
def buffer():
    with RingBuffer(seconds=4, rate_hz=60, height_px=128, width_px=160) as made:
        yield made


@pytest.fixture
def scanner(buffer):
    """A running small scanner and a reader of its frames."""
    source = SimulatedSource(**SMALL)
    with buffer.reader() as reader:
        source.start(buffer)
        yield source, reader
        source.stop()


def read(reader, count):
    frames = []
    while len(frames) < count:
        assert reader.wait(20)
        frames.append(reader.next())
    return frames


def next_after(reader):
    """A frame that was computed after now: the one in the making does not count."""
    read(reader, reader.written - reader.oldest if reader.wait(0) else 0)
    newest = reader.newest()
    after = newest.number if newest else -1
    while (streamed := read(reader, 1)[0]).number < after + 3:
        pass
    return streamed.frame


def test_frames_come_at_their_rate_and_never_repeat(scanner):
    source, reader = scanner
    assert source.state in ("connecting", "running")
    frames = read(reader, 40)
    assert source.state == "running"
    for before, after in pairwise(frames):
        assert not np.array_equal(before.frame.image_HW, after.frame.image_HW)
        periods = (after.probe_ns - before.probe_ns) / (1e9 / 60)
        assert periods == pytest.approx(round(periods), abs=1e-6)
        assert round(periods) >= 1
    late_ns = [f.host_ns - frames[0].host_ns - (f.probe_ns - frames[0].probe_ns) for f in frames]
    assert max(map(abs, late_ns)) < 0.5e9  # probe and host time go together
    kinds = [event.kind for event in source.events()]
    assert kinds == ["connecting", "connected"]


def test_the_picture_lies_where_the_area_says(scanner):
    _, reader = scanner
    frame = read(reader, 3)[-1].frame
    outside = np.ones(frame.image_HW.shape, bool)
    area = frame.area
    outside[area.top : area.bottom, area.left : area.right] = False
    assert frame.image_HW.shape == (128, 160)
    assert frame.image_HW[~outside].mean() > 10
    inner = Box(area.top, area.left + 1, area.bottom - 1, area.right - 1)
    assert frame.image_HW[inner.top : inner.bottom, inner.left : inner.right].mean() > 10
    far = np.ones_like(outside)
    far[: area.bottom + 2, max(0, area.left - 2) : area.right + 2] = False
    assert frame.image_HW[far].max(initial=0) == 0


def test_depth_goes_through_the_presets_and_spacing_with_it(scanner):
    source, reader = scanner
    seen = [next_after(reader).spacing_mm[0]]
    while "depth+" in source.commands:
        source.send("depth+")
        seen.append(next_after(reader).spacing_mm[0])
    assert len(seen) >= 3
    assert all(a < b for a, b in pairwise(seen))
    with pytest.raises(SourceError, match=r"'depth\+'.*Options: freeze, depth-"):
        source.send("depth+")
    source.send("depth-")
    assert next_after(reader).spacing_mm[0] == pytest.approx(seen[-2])
    details = [event.detail for event in source.events() if event.kind == "depth"]
    assert details[-1] == "4.5 cm"
    assert details[-2] == "5 cm"


def test_gain_makes_the_picture_brighter_and_darker(scanner):
    source, reader = scanner
    start = next_after(reader).image_HW.mean()
    for _ in range(4):
        source.send("gain+")
    bright = next_after(reader).image_HW.mean()
    for _ in range(8):
        source.send("gain-")
    dark = next_after(reader).image_HW.mean()
    assert dark < start - 3 < start + 3 < bright
    details = [event.detail for event in source.events() if event.kind == "gain"]
    assert details[-1] == "-8 dB"


def test_frozen_no_frame_comes_until_it_goes_on(scanner):
    source, reader = scanner
    before = read(reader, 3)[-1]
    source.send("freeze")
    assert source.state == "frozen"
    assert source.commands == ("freeze",)
    with pytest.raises(SourceError, match="is frozen and cannot do"):
        source.send("gain+")
    written = reader.written
    time.sleep(0.2)
    assert reader.written == written
    source.send("freeze")
    after = next_after(reader)
    assert after.timestamp_ns - before.probe_ns >= 190_000_000  # time went on
    assert [event.kind for event in source.events()][-2:] == ["frozen", "running"]


def test_the_same_seed_shows_the_same_anatomy_and_procedures_differ(buffer):
    first = []
    for procedure in ("axillary", "axillary", "femoral"):
        source = SimulatedSource(procedure, seed=5, **SMALL)
        with buffer.reader("now") as reader:
            source.start(buffer)
            first.append(read(reader, 1)[0].frame.image_HW)
            source.stop()
    np.testing.assert_array_equal(first[0], first[1])
    assert not np.array_equal(first[0], first[2])


def test_stopping_ends_the_thread_at_any_time_and_it_can_start_again(buffer):
    before = threading.active_count()
    source = SimulatedSource(**SMALL)
    for pause_s in (0.0, 0.3):
        source.start(buffer)
        with pytest.raises(SourceError, match="started already"):
            source.start(buffer)
        time.sleep(pause_s)
        source.stop()
        source.stop()
        assert threading.active_count() == before
        assert source.state == "stopped"
        assert source.commands == ()


def test_settings_that_make_no_sense_are_refused(buffer):
    with pytest.raises(ConfigError, match="did you mean 'axillary'"):
        SimulatedSource("axilary")
    with pytest.raises(ConfigError, match="even numbers from 128 to 2048"):
        SimulatedSource(width_px=333)
    with pytest.raises(SourceError, match=r"480x640 pixels .*do not fit the buffer's 128x160"):
        SimulatedSource().start(buffer)


@pytest.mark.parametrize("procedure", ["axillary", "femoral"])
def test_default_frames_take_less_than_a_period_of_one_core(procedure):
    source = SimulatedSource(procedure)
    with RingBuffer(seconds=3, height_px=480, width_px=640) as buffer, buffer.reader() as reader:
        source.start(buffer)
        read(reader, 2)
        spent_s, count = time.process_time(), reader.written
        time.sleep(1)
        spent_s, count = time.process_time() - spent_s, reader.written - count
        source.stop()
    assert spent_s / count < 1 / 30
