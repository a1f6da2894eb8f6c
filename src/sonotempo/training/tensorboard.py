"""TensorBoard's files, without the name of the computer in theirs."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.summary.writer import event_file_writer

_HOST = "host"


class NamelessTensorBoard(TensorBoardLogger):
    """Writes ``events.out.tfevents.<time>.host.…``: run folders are handed on."""

    @property
    def experiment(self) -> Any:
        """The writer, made on first use."""
        with _without_host_name():
            return super().experiment


@contextmanager
def _without_host_name() -> Iterator[None]:
    """Let the writer ask another than the operating system: it takes no name from us."""
    real = event_file_writer.socket
    event_file_writer.socket = SimpleNamespace(gethostname=lambda: _HOST)
    try:
        yield
    finally:
        event_file_writer.socket = real
