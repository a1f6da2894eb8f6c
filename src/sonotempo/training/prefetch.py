"""Batches that are read, moved to the GPU and augmented while the one before them is trained on.

A second thread works on its own CUDA stream: its kernels run between those of the training, and
what it has to wait for does not keep the training waiting.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import Full, Queue

import torch
from torch import Tensor

from sonotempo.data.clips import Clips

#: How many batches are held ready.
_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch as the network takes it.

    Attributes:
        clips: as read, on the training device.
        x_BTCHW: the network input.
        masks_BTHW: its labels.
        motion_BT3hw: the motion of each frame, for a network that uses it.
        generator: what later random numbers of this batch are drawn from.
        all_labelled: whether every frame has a mask, known without asking the device.
    """

    clips: Clips
    x_BTCHW: Tensor
    masks_BTHW: Tensor
    motion_BT3hw: Tensor | None
    generator: torch.Generator
    all_labelled: bool

    def tensors(self) -> Iterator[Tensor]:
        """Yield what lies on the device."""
        yield from (*self.clips.tensors(), self.x_BTCHW, self.masks_BTHW)
        if self.motion_BT3hw is not None:
            yield self.motion_BT3hw


class PreparedBatches:
    """The batches of an epoch, each prepared ahead in a thread that ends with the epoch.

    Args:
        batches: as read, in order.
        prepare: turns a batch and its number into what the network takes.
        device: of the training; on anything but a CUDA GPU the thread alone works ahead.
    """

    def __init__(
        self,
        batches: Iterable[Clips],
        prepare: Callable[[Clips, int], Prepared],
        device: torch.device,
    ) -> None:
        self._batches = batches
        self._prepare = prepare
        self._device = device

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]  # a loader has a length

    def __iter__(self) -> Iterator[Prepared]:
        ready: Queue[_Ready | Exception | None] = Queue(_AHEAD)
        ended = threading.Event()
        # A daemon: should an epoch be left without an end, it must not keep the program alive.
        thread = threading.Thread(
            target=self._work, args=(ready, ended), name="sonotempo-prefetch", daemon=True
        )
        thread.start()
        try:
            while (item := ready.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield self._handed_over(item)
        finally:
            ended.set()
            thread.join()

    def _work(self, ready: "Queue[_Ready | Exception | None]", ended: threading.Event) -> None:
        on_gpu = self._device.type == "cuda"
        stream = torch.cuda.Stream(self._device) if on_gpu else None  # type: ignore[no-untyped-call]
        last: Exception | None = None
        try:
            with torch.cuda.stream(stream):
                for number, batch in enumerate(self._batches):
                    prepared = self._prepare(batch, number)
                    done = None if stream is None else stream.record_event()
                    if not _put(_Ready(prepared, done), ready, ended):
                        return
        except Exception as error:  # noqa: BLE001  (raised again where the batch is awaited)
            last = error
        _put(last, ready, ended)

    def _handed_over(self, item: "_Ready") -> Prepared:
        """Let the training's stream wait for a batch, and keep its memory for that stream."""
        if item.done is not None:
            stream = torch.cuda.current_stream(self._device)
            stream.wait_event(item.done)
            for tensor in item.prepared.tensors():
                tensor.record_stream(stream)
        return item.prepared


@dataclass(frozen=True, slots=True)
class _Ready:
    """A batch, and when the work on it is done."""

    prepared: Prepared
    done: torch.cuda.Event | None


def _put(
    item: "_Ready | Exception | None",
    ready: "Queue[_Ready | Exception | None]",
    ended: threading.Event,
) -> bool:
    """Wait for room, and return whether anybody still wants the item."""
    while not ended.is_set():
        try:
            ready.put(item, timeout=0.05)
        except Full:
            continue
        return True
    return False
