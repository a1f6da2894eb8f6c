"""TensorBoard's files do not name the computer, and hold what was logged."""

import socket

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sonotempo.training.tensorboard import NamelessTensorBoard


def test_the_host_is_not_in_the_name(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "ward-cart-3")
    logger = NamelessTensorBoard(tmp_path, name="tensorboard")
    for step in range(3):
        logger.log_metrics({"loss": 0.5 * step}, step)
    logger.finalize("success")
    (file,) = tmp_path.rglob("events.out.tfevents.*")
    assert "ward-cart-3" not in file.name
    assert b"ward-cart-3" not in file.read_bytes()
    read = EventAccumulator(str(file.parent)).Reload()
    assert [one.value for one in read.Scalars("loss")] == pytest.approx([0, 0.5, 1])
    assert socket.gethostname() == "ward-cart-3"
