import threading

import numpy as np
import pytest

from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.history import PredictionHistory, StepResult

MS = 1_000_000


@pytest.fixture
def buffer():
    with RingBuffer(seconds=1, rate_hz=20, height_px=8, width_px=8) as buffer:
        yield buffer


@pytest.fixture
def history(buffer):
    history = PredictionHistory(buffer.reader(), seconds=1)
    yield history
    history.close()


@pytest.fixture
def stream(buffer):
    with buffer.writer() as writer, buffer.reader() as reader:
        yield Stream(writer, reader)


class Stream:
    """Writes frames 50 ms apart and makes results of them."""

    def __init__(self, writer, reader):
        self.writer, self.reader, self.count = writer, reader, 0

    def write(self):
        image_HW = np.full((8, 8), self.count, np.uint8)
        now_ns = self.count * 50 * MS
        self.writer.write(image_HW, probe_ns=now_ns, host_ns=now_ns)
        self.count += 1
        return self.result(self.count - 1)

    def result(self, number):
        streamed = self.reader.read(number)
        made = (f"mask {number}",)
        return StepResult(streamed.frame, made, streamed.host_ns, streamed.host_ns + 20 * MS)


def test_a_segmented_frame_is_found_with_its_own_pixels(history, stream):
    for _ in range(3):
        history.add(stream.write())
    found = history.get(1)
    assert found.predictions == ("mask 1",)
    assert found.frame.index == 1
    assert (found.frame.image_HW == 1).all()
    assert found.ready_ns - found.captured_ns == 20_000_000
    assert found.age_ms(90 * MS) == 40


def test_a_frame_without_a_prediction_is_marked_as_not_segmented(history, stream):
    history.add(stream.write())
    stream.write()
    history.add(stream.write())
    assert [history.status(i) for i in range(4)] == [
        "segmented",
        "not segmented",
        "segmented",
        "not written",
    ]
    assert history.get(1) is None
    assert history.get(3) is None
    assert history.numbers() == (0, 2)


def test_results_leave_when_their_frames_leave_the_buffer(buffer, stream):
    history = PredictionHistory(buffer.reader(), seconds=100)
    for _ in range(50):
        history.add(stream.write())
    assert history.numbers() == tuple(range(30, 50))
    assert history.status(29) == "gone"
    assert history.get(29) is None
    assert history.get(30) is not None
    history.close()


def test_results_older_than_the_limit_leave(buffer, stream):
    history = PredictionHistory(buffer.reader(), seconds=0.5)
    for _ in range(20):
        history.add(stream.write())
    assert history.numbers() == tuple(range(9, 20))
    assert history.status(8) == "not segmented"
    history.close()


def test_a_frame_overwritten_since_its_result_was_kept_is_gone(history, stream):
    history.add(stream.write())
    for _ in range(30):
        stream.write()
    assert history.numbers() == (0,)
    assert history.get(0) is None
    assert history.status(0) == "gone"


def test_pixels_are_not_kept_twice(history, stream):
    result = stream.write()
    history.add(result)
    assert history.get(0).frame.image_HW is not result.frame.image_HW


def test_after_closing_everything_is_gone(history, stream):
    history.add(stream.write())
    history.close()
    assert len(history) == 0
    assert history.get(0) is None
    assert history.status(0) == "gone"


def test_threads_may_look_while_another_adds(history, stream):
    done = threading.Event()
    wrong = []

    def look():
        while not done.is_set():
            for number in history.numbers():
                found = history.get(number)
                if found is not None and not (found.frame.image_HW == number % 256).all():
                    wrong.append(number)

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    for _ in range(250):
        history.add(stream.write())
    done.set()
    for looker in lookers:
        looker.join()
    assert wrong == []
