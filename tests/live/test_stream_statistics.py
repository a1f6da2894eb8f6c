import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonotempo.live.stream_statistics import STAGES, Meter, StepTimes, Timing

MS = 1_000_000


def step(number, *, captured_ms=0.0, buffer_ms=2, preprocess_ms=1, inference_ms=(10,), ready_ms=3):
    captured_ns = round(captured_ms * MS)
    taken_ns = captured_ns + buffer_ms * MS
    ready_ns = taken_ns + (preprocess_ms + sum(inference_ms) + ready_ms) * MS
    inference_ns = tuple(ms * MS for ms in inference_ms)
    return StepTimes(number, captured_ns, taken_ns, preprocess_ms * MS, inference_ns, ready_ns)


def summed(meter, *, now_ns, models=(("frame", "fake"),), **more):
    counts = {"started_ns": 0, "captured": 0, "overruns": 0, "waiting": 0} | more
    return meter.statistics(now_ns=now_ns, models=models, **counts)


def test_the_stages_add_up_to_the_latency():
    meter = Meter(2)
    meter.record(step(0, inference_ms=(10, 20)), state_ages=(1, 7), skipped=0)
    found = summed(meter, now_ns=MS, models=(("frame", "a"), ("sequence", "b")))
    means = {name: timing.mean_ms for name, timing in found.stages.items()}
    assert means == {"buffer": 2, "preprocess": 1, "inference": 30, "ready": 3}
    assert tuple(means) == STAGES
    assert found.latency.mean_ms == sum(means.values())
    frame, sequence = found.predictors
    assert (frame.model, frame.engine, frame.inference.mean_ms, frame.state_age) == (
        "frame",
        "a",
        10,
        1,
    )
    assert (sequence.inference.mean_ms, sequence.state_age) == (20, 7)


def test_drops_are_skips_and_overruns():
    meter = Meter(1)
    meter.record(step(3), state_ages=(1,), skipped=3)
    meter.record(step(5), state_ages=(2,), skipped=1)
    found = summed(meter, now_ns=MS, overruns=2, captured=9, waiting=1)
    assert (found.segmented, found.skipped, found.overruns, found.dropped) == (2, 4, 2, 6)
    assert (found.captured, found.waiting) == (9, 1)


def test_resets_are_counted_by_reason():
    meter = Meter(1)
    for reason in ("start", "gap", "gap"):
        meter.reset(reason)
    assert summed(meter, now_ns=MS).resets == {"start": 1, "gap": 2}


def test_rates_are_of_the_last_two_seconds_and_count_skipped_frames_in():
    meter = Meter(1)
    for i in range(300):  # 30 a second written, every third segmented
        meter.record(step(3 * i, captured_ms=100 * i), state_ages=(1,), skipped=2 * (i > 0))
    found = summed(meter, now_ns=30_000 * MS)
    assert found.fps_in == pytest.approx(30)
    assert found.fps_out == pytest.approx(10, abs=0.6)


def test_a_stream_that_stopped_has_no_rate():
    meter = Meter(1)
    for i in range(20):
        meter.record(step(i, captured_ms=50 * i), state_ages=(1,), skipped=0)
    found = summed(meter, now_ns=60_000 * MS)
    assert (found.fps_in, found.fps_out) == (0, 0)


def test_before_the_first_frame_everything_is_zero():
    found = summed(Meter(1), now_ns=0)
    assert found.latency == Timing(0, 0, 0, 0, 0)
    assert (found.seconds, found.fps_in, found.fps_out, found.segmented) == (0, 0, 0, 0)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=50))
def test_percentiles_are_those_of_the_times(times_ns):
    timing = Timing.of(np.array(times_ns, np.int64))
    assert timing.count == len(times_ns)
    for percent, found in ((50, timing.p50_ms), (95, timing.p95_ms), (99, timing.p99_ms)):
        assert found == pytest.approx(np.percentile(times_ns, percent) / 1e6)


def test_only_the_last_frames_are_timed_but_all_are_counted():
    meter = Meter(1, window_frames=10)
    for i in range(25):
        meter.record(step(i, inference_ms=(i,)), state_ages=(1,), skipped=0)
    found = summed(meter, now_ns=MS)
    assert found.segmented == 25
    assert found.stages["inference"].count == 10
    assert found.stages["inference"].mean_ms == np.mean(range(15, 25))


def test_memory_does_not_grow_with_the_stream():
    meter = Meter(2, window_frames=1000)

    def held(first):
        for i in range(first, first + 10_000):
            meter.record(step(i, inference_ms=(1, 1)), state_ages=(i, i), skipped=0)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        assert held(10_000) - held(0) < 10_000
    finally:
        tracemalloc.stop()


def test_one_thread_records_while_another_reads():
    meter = Meter(1, window_frames=100)
    done = threading.Event()
    torn = []

    def look():
        while not done.is_set():
            found = summed(meter, now_ns=MS)
            if found.stages["ready"].count and found.stages["ready"].p99_ms != 3:
                torn.append(found)

    looker = threading.Thread(target=look)
    looker.start()
    for i in range(3000):
        meter.record(step(i), state_ages=(i,), skipped=0)
    done.set()
    looker.join()
    assert torn == []
    assert summed(meter, now_ns=MS).segmented == 3000
