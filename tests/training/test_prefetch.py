import threading
import time

import pytest
import torch

from sonotempo.data.clips import Clips
from sonotempo.training.prefetch import Prepared, PreparedBatches

CPU = torch.device("cpu")


def clips_of(number):
    frames = torch.full((1, 1, 2, 2), number, dtype=torch.uint8)
    return Clips(frames, frames, torch.ones(1, 1, dtype=torch.bool), torch.zeros(1).bool())


def prepare(batch, number):
    x = batch.frames_BTHW.unsqueeze(2) / 255
    return Prepared(batch, x, batch.masks_BTHW, None, torch.Generator().manual_seed(number), True)


def threads():
    return [t for t in threading.enumerate() if t.name.startswith("sonotempo-prefetch")]


@pytest.fixture(autouse=True)
def none_is_left():
    yield
    assert not threads()


def test_batches_come_in_order_with_their_numbers_every_time():
    batches = PreparedBatches([clips_of(n) for n in range(9)], prepare, CPU)
    assert len(batches) == 9
    for _ in range(2):
        found = list(batches)
        assert [int(one.clips.frames_BTHW[0, 0, 0, 0]) for one in found] == list(range(9))
        assert [one.generator.initial_seed() for one in found] == list(range(9))


def test_the_thread_works_ahead_but_not_without_end():
    made = []

    def noted(batch, number):
        made.append(number)
        return prepare(batch, number)

    batches = iter(PreparedBatches((clips_of(n) for n in range(100)), noted, CPU))
    next(batches)
    time.sleep(0.2)
    assert 2 <= len(made) <= 6
    batches.close()
    assert len(made) <= 8


@pytest.mark.parametrize("where", ["reading", "preparing"])
def test_an_error_ends_the_epoch_as_it_would_without_a_thread(where):
    def reading():
        yield clips_of(0)
        if where == "reading":
            raise OSError("no such file")
        yield clips_of(1)

    def preparing(batch, number):
        if number == 1:
            raise OSError("no such file")
        return prepare(batch, number)

    batches = iter(PreparedBatches(reading(), preparing, CPU))
    next(batches)
    with pytest.raises(OSError, match="no such file"):
        next(batches)
