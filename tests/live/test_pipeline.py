import gc
import os
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.streams import HandSource, StatefulModel, StatelessModel
from sonotempo.errors import PipelineError
from sonotempo.live import pipeline as pipeline_module
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.continuity import Continuity
from sonotempo.live.pipeline import BREAKING_EVENTS, Pipeline
from sonotempo.recording import Frame

MS = 1_000_000


def image(seed, shape_HW=(20, 24)):
    return np.random.default_rng(seed).integers(0, 256, shape_HW, np.uint8)


def until(condition, seconds=10.0):
    """Wait for another thread to have done something."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.001)


@pytest.fixture
def buffer():
    with RingBuffer(seconds=10, rate_hz=20, height_px=32, width_px=32) as buffer:
        yield buffer


@pytest.fixture
def source():
    return HandSource()


class Running:
    """A started pipeline, the source that a test writes into, and what came out."""

    def __init__(self, buffer, source, *models, **options):
        self.source, self.models = source, models
        self.pipeline = Pipeline(buffer, source, models, **options)
        self.frames = 0

    def __enter__(self):
        self.pipeline.start()
        return self

    def __exit__(self, *error):
        self.pipeline.stop()

    def send(self, ms=None, **more):
        """Write a frame and wait for its result."""
        number = self.source.write(
            more.pop("image_HW", image(self.frames)),
            ms=50 * self.frames if ms is None else ms,
            **more,
        )
        self.frames += 1
        until(lambda: self.segmented(number))
        return self.pipeline.newest()

    def segmented(self, number):
        newest = self.pipeline.newest()
        return newest is not None and newest.frame.index >= number


def test_all_models_speak_of_the_same_frame(buffer, source):
    with Running(buffer, source, StatelessModel(), StatefulModel()) as running:
        for seed in range(5):
            result = running.send()
            np.testing.assert_array_equal(result.frame.image_HW, image(seed))
            assert [made.model for made in result.predictions] == ["frame", "sequence"]
            assert [made.state_age for made in result.predictions] == [seed + 1, seed + 1]
            assert result.captured_ns <= result.ready_ns
    frame, sequence = running.models
    assert frame.calls == sequence.calls == ["reset", 0, 1, 2, 3, 4]
    assert frame.threads == sequence.threads == {"sonotempo-engine"}


def offline(model, frames, max_gap_ms):
    """What a model says frame by frame without any pipeline, with the same rules."""
    rules = Continuity(max_gap_ms)
    masks = []
    for frame in frames:
        if rules.broken_by(frame):
            model.reset()
        masks.append([made.mask_HW() for made in model.step_on_grid(frame)])
    return masks


@settings(max_examples=15, deadline=None)
@given(
    gaps_ms=st.lists(st.sampled_from([20, 50, 90, 150, 400]), min_size=1, max_size=25),
    seed=st.integers(0, 1000),
)
def test_streamed_masks_equal_those_of_the_same_model_frame_by_frame(gaps_ms, seed):
    times_ms = np.cumsum(gaps_ms).tolist()
    shapes = [(20, 24), (20, 24), (20, 24), (24, 20)]
    choose = np.random.default_rng(seed)
    frames = [
        Frame(image(seed + i, shapes[choose.integers(4)]), i, ms * MS, (0.1, 0.1))
        for i, ms in enumerate(times_ms)
    ]
    models = (StatelessModel(), StatefulModel())
    source = HandSource()
    with (
        RingBuffer(seconds=10, rate_hz=20, height_px=32, width_px=32) as buffer,
        Running(buffer, source, *models, policy="every", max_gap_ms=100) as running,
    ):
        for frame in frames:
            source.write(frame.image_HW, ms=frame.timestamp_ns / MS, spacing_mm=frame.spacing_mm)
        until(lambda: running.segmented(len(frames) - 1))
        streamed = [running.pipeline.history.get(i) for i in range(len(frames))]
        statistics = running.pipeline.statistics()
    assert statistics.segmented == len(frames)
    for position, fresh in enumerate((StatelessModel(), StatefulModel())):
        expected = offline(fresh, frames, 100)
        for result, (mask_HW,) in zip(streamed, expected, strict=True):
            np.testing.assert_array_equal(result.predictions[position].mask_HW(), mask_HW)
        assert models[position].calls == fresh.calls


@pytest.mark.parametrize("kind", sorted(BREAKING_EVENTS))
def test_what_breaks_the_stream_off_resets_every_model_before_the_next_frame(buffer, source, kind):
    with Running(buffer, source, StatelessModel(), StatefulModel()) as running:
        running.send()
        running.send()
        source.log.add(kind)
        assert running.send().reset == kind
        assert running.send().reset is None
        assert running.pipeline.statistics().resets == {"start": 1, kind: 1}
    for model in running.models:
        assert model.resets == [0, 2]


def test_gain_and_buttons_reset_nothing_but_are_passed_on(buffer, source):
    with Running(buffer, source, StatefulModel()) as running:
        running.send()
        source.log.add("gain", "+3 dB")
        source.log.add("button", "up")
        assert running.send().reset is None
        assert [event.kind for event in running.pipeline.events()] == ["gain", "button"]
        assert running.pipeline.events() == ()


def test_a_backlog_is_reset_at_the_frame_after_the_event_not_before(buffer, source):
    """Policy ``every`` hears of a seek long before it comes to the first frame after it."""
    model = StatefulModel(seconds=0.03)
    with Running(buffer, source, model, policy="every") as running:
        for i in range(4):
            source.write(image(i), ms=50 * i)
        source.log.add("seek")
        for i in range(4, 7):
            source.write(image(i), ms=50 * i)
        until(lambda: running.segmented(6))
    assert model.resets == [0, 4]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"spacing_mm": (0.2, 0.2)}, "spacing"),
        ({"image_HW": image(0, (10, 10))}, "size"),
        ({"ms": 5000}, "gap"),
    ],
)
def test_a_frame_that_does_not_continue_the_last_resets_every_model(buffer, source, change, reason):
    with Running(buffer, source, StatelessModel(), StatefulModel()) as running:
        running.send()
        running.send()
        assert running.send(**change).reset == reason
    assert [model.resets for model in running.models] == [[0, 2], [0, 2]]


def test_newest_skips_what_is_too_fast_and_counts_it(buffer, source):
    model = StatefulModel(seconds=0.05)
    with Running(buffer, source, model, policy="newest", max_gap_ms=1e6) as running:
        for i in range(30):
            source.write(image(i), ms=5 * i)
            time.sleep(0.005)
        until(lambda: running.segmented(29))
        found = running.pipeline.statistics()
        skips = [
            result.skipped
            for number in running.pipeline.history.numbers()
            if (result := running.pipeline.history.get(number))
        ]
        unseen = running.pipeline.history.status(1)
    seen = [call for call in model.calls if call != "reset"]
    assert seen[-1] == 29
    assert len(seen) < 15
    assert found.skipped == 30 - len(seen) == sum(skips) == found.dropped
    assert (found.captured, found.segmented, found.overruns) == (30, len(seen), 0)
    assert model.resets == [seen[0]]
    assert unseen == ("segmented" if 1 in seen else "not segmented")


def test_a_gap_made_by_skipping_resets_the_states(buffer, source):
    model = StatefulModel(seconds=0.05)
    with Running(buffer, source, model, policy="newest", max_gap_ms=100) as running:
        running.send(ms=0)
        for i in range(1, 21):
            source.write(image(i), ms=50 * i)
        until(lambda: running.segmented(20))
        assert running.pipeline.statistics().resets.get("gap", 0) >= 1
    seen = [call for call in model.calls if call != "reset"]
    gaps = [b for a, b in pairwise(seen) if (b - a) * 50 > 100]
    assert model.resets == [0, *gaps]


def test_every_counts_honestly_what_the_buffer_lost(source):
    model = StatefulModel(seconds=0.02)
    with (
        RingBuffer(seconds=1, rate_hz=5, height_px=32, width_px=32) as buffer,
        Running(buffer, source, model, policy="every") as running,
    ):
        for i in range(40):
            source.write(image(i), ms=50 * i)
        until(lambda: running.segmented(39))
        found = running.pipeline.statistics()
    seen = [call for call in model.calls if call != "reset"]
    assert found.overruns == 40 - len(seen) > 0
    assert found.skipped == 0
    assert found.dropped == found.captured - found.segmented


def test_a_model_that_fails_stops_the_pipeline_with_its_name_and_the_frame(buffer, source):
    models = (StatelessModel(), StatefulModel(name="femoral", fail_at=2))
    pipeline = Pipeline(buffer, source, models)
    pipeline.start()
    for i in range(3):
        source.write(image(i), ms=50 * i)
        time.sleep(0.02)
    until(lambda: pipeline.state == "failed")
    assert "model 'femoral' (numpy) failed on frame 2 of 20x24 pixels" in str(pipeline.error)
    assert "the card is on fire" in str(pipeline.error)
    assert isinstance(pipeline.error.__cause__, RuntimeError)
    assert pipeline.newest().frame.index == 1
    assert pipeline.statistics().segmented == 2
    pipeline.stop()
    assert source.calls == ["start", "stop"]
    assert pipeline.newest().frame.index == 1


def test_a_source_that_fails_to_report_stops_the_pipeline_with_a_sentence(buffer, source):
    def broken():
        raise OSError("no such pipe")

    source.events = broken
    pipeline = Pipeline(buffer, source, [StatelessModel()])
    pipeline.start()
    until(lambda: pipeline.state == "failed")
    assert "waiting for the source" in str(pipeline.error)
    assert "no such pipe" in str(pipeline.error)
    pipeline.stop()


def test_a_source_that_cannot_start_leaves_nothing_running(buffer, source):
    def refuse(_):
        raise OSError("no probe")

    source.start = refuse
    pipeline = Pipeline(buffer, source, [StatelessModel()])
    with pytest.raises(OSError, match="no probe"):
        pipeline.start()
    assert not engine_threads()


def engine_threads():
    return [one for one in threading.enumerate() if one.name.startswith("sonotempo")]


def shared_memory(pid=None):
    """What a process, by default this one, has made of it."""
    return sorted(Path("/dev/shm").glob(f"sonotempo-{pid or os.getpid()}-*"))


def test_the_pipeline_is_finished_when_the_last_frame_of_an_ended_source_is(buffer, source):
    model = StatefulModel(seconds=0.01)
    with Running(buffer, source, model, policy="every") as running:
        for i in range(10):
            source.write(image(i), ms=50 * i)
        source.state = "ended"
        until(lambda: running.pipeline.state == "finished")
        assert running.pipeline.statistics().segmented == 10
        source.state = "running"
        source.log.add("seek", "played again")
        source.write(image(0), ms=0)
        until(lambda: running.segmented(10))
        assert running.pipeline.state == "running"
    assert running.pipeline.error is None
    assert model.resets == [0, 10]


def test_a_running_source_is_neither_started_nor_stopped(buffer, source):
    source.start(buffer)
    source.write(image(0), ms=0)
    with Running(buffer, source, StatefulModel()) as running:
        running.frames = 1
        running.send()
        assert running.pipeline.statistics().captured == 1
    assert source.calls == ["start"]
    assert running.models[0].calls == ["reset", 1]
    source.stop()


def test_a_silent_source_does_not_keep_the_pipeline_from_stopping(buffer, source):
    pipeline = Pipeline(buffer, source, [StatefulModel()])
    pipeline.start()
    began = time.monotonic()
    pipeline.stop()
    assert time.monotonic() - began < 1
    assert pipeline.state == "stopped"
    assert not engine_threads()


def test_a_source_that_hangs_is_left_behind_in_bounded_time(buffer, source, monkeypatch):
    monkeypatch.setattr(pipeline_module, "_STOP_S", 0.2)
    source.hang.set()
    pipeline = Pipeline(buffer, source, [StatefulModel()])
    pipeline.start()
    began = time.monotonic()
    with pytest.raises(PipelineError, match="the source did not end within"):
        pipeline.stop()
    assert time.monotonic() - began < 2
    source.released.set()
    until(lambda: not engine_threads())
    pipeline.stop()


def test_a_model_that_hangs_is_named_in_bounded_time(buffer, source, monkeypatch):
    monkeypatch.setattr(pipeline_module, "_STOP_S", 0.2)
    model = StatefulModel(name="slow", seconds=1.5)
    pipeline = Pipeline(buffer, source, [model])
    pipeline.start()
    source.write(image(0), ms=0)
    until(lambda: 0 in model.calls)
    with pytest.raises(PipelineError, match="model 'slow' segments frame 0"):
        pipeline.stop()
    until(lambda: not engine_threads())
    pipeline.stop()


def test_stopping_ends_every_thread_and_gives_all_memory_back():
    threads, memory = threading.active_count(), shared_memory()
    for _ in range(3):
        source = HandSource()
        with (
            RingBuffer(seconds=1, rate_hz=5, height_px=32, width_px=32) as buffer,
            Running(buffer, source, StatelessModel(), StatefulModel()) as running,
        ):
            running.send()
            assert threading.active_count() == threads + 1
            assert len(shared_memory()) == len(memory) + 1
        running.pipeline.stop()
    gc.collect()
    assert threading.active_count() == threads
    assert shared_memory() == memory


def test_a_pipeline_runs_once(buffer, source):
    pipeline = Pipeline(buffer, source, [StatelessModel()])
    with pipeline, pytest.raises(PipelineError, match="runs once"):
        pipeline.start()
    with pytest.raises(PipelineError, match="runs once"):
        pipeline.start()


def test_an_unknown_policy_is_refused_with_the_nearest(buffer, source):
    with pytest.raises(PipelineError, match="did you mean 'newest'"):
        Pipeline(buffer, source, [], policy="newst")


def test_results_shown_too_late_are_marked_as_stale(buffer, source):
    model = StatefulModel(seconds=0.4)
    with Running(buffer, source, model) as running:
        assert not running.pipeline.is_stale()
        source.write(image(0), ms=0)
        until(lambda: running.segmented(0))
        assert not running.pipeline.is_stale(), "there is nothing newer"
        source.write(image(1), ms=50)
        until(running.pipeline.is_stale, seconds=1)
        until(lambda: running.segmented(1))
        assert not running.pipeline.is_stale()
    assert not running.pipeline.is_stale()


def test_the_newest_result_is_had_without_waiting_for_the_engine(buffer, source):
    model = StatefulModel(seconds=0.5)
    with Running(buffer, source, model) as running:
        source.write(image(0), ms=0)
        until(lambda: 0 in model.calls)
        began = time.perf_counter()
        for _ in range(1000):
            assert running.pipeline.newest() is None
        assert time.perf_counter() - began < 0.1


def test_statistics_and_results_outlive_the_pipeline(buffer, source):
    with Running(buffer, source, StatefulModel()) as running:
        running.send()
    found = running.pipeline.statistics()
    time.sleep(0.05)
    assert running.pipeline.statistics() == found
    assert (found.captured, found.segmented) == (1, 1)
    assert running.pipeline.history.get(0) is None


def test_bookkeeping_costs_little_of_a_frames_time(source):
    """The engine's own work, without preprocessing and network: well below 2 ms a frame."""
    with (
        RingBuffer(seconds=10, rate_hz=30, height_px=480, width_px=640) as buffer,
        Running(buffer, source, StatelessModel(), StatefulModel()) as running,
    ):
        picture = image(0, (480, 640))
        for i in range(60):
            running.send(image_HW=picture, ms=33 * i)
        found = running.pipeline.statistics()
    assert found.stages["ready"].p50_ms < 2


def test_other_models_are_stepped_from_the_next_frame_on(buffer, source):
    first, second = StatefulModel("first"), StatefulModel("second")
    with Running(buffer, source, first) as running:
        for _ in range(3):
            running.send()
        running.pipeline.use([second])
        # Nothing of the former model is left to be shown as the new one's.
        assert running.pipeline.newest().predictions == ()
        assert running.pipeline.history.numbers() == ()
        result = running.send()
        assert [(made.model, made.state_age) for made in result.predictions] == [("second", 1)]
        statistics = running.pipeline.statistics()
        assert (statistics.captured, statistics.segmented) == (1, 1)
        assert [one.model for one in statistics.predictors] == ["second"]
    assert first.calls == ["reset", 0, 1, 2]
    assert second.calls[0] == "reset"
    assert second.calls[-1] == 3
    assert source.calls == ["start", "stop"]


def test_pictures_without_models_first_then_with_them(buffer, source):
    with Running(buffer, source) as running:
        assert running.send().predictions == ()
        running.pipeline.use([StatelessModel()])
        assert len(running.send().predictions) == 1


def test_other_models_are_refused_after_the_end(buffer, source):
    with Running(buffer, source, StatelessModel()) as running:
        running.send()
    with pytest.raises(PipelineError, match="stop and start again"):
        running.pipeline.use([StatelessModel()])
    with pytest.raises(PipelineError, match="stop and start again"):
        Pipeline(buffer, HandSource(), []).use([])
