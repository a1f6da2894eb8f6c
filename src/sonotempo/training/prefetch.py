"""Batches that are read, moved to the GPU and augmented while the one before them is trained on.

A second thread works on its own CUDA stream: its kernels run between those of the training, and
what it has to wait for does not keep the training waiting.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, Queue

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
        ready: Queue[_Ready | None] = Queue(_AHEAD)
        ended = threading.Event()
        with ThreadPoolExecutor(1, "sonotempo-prefetch") as pool:
            work = pool.submit(self._work, ready, ended)
            try:
                while (item := ready.get()) is not None:
                    yield self._handed_over(item)
                work.result()  # raises what ended the thread early
            finally:
                ended.set()
                _empty(ready, work)

    def _work(self, ready: "Queue[_Ready | None]", ended: threading.Event) -> None:
        try:
            stream = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None
            with torch.cuda.stream(stream):
                for number, batch in enumerate(self._batches):
                    if ended.is_set():
                        return
                    prepared = self._prepare(batch, number)
                    ready.put(_Ready(prepared, None if stream is None else stream.record_event()))
        finally:
            ready.put(None)

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
    prepared: Prepared
    done: torch.cuda.Event | None


def _empty(ready: "Queue[_Ready | None]", work: "Future[None]") -> None:
    """Take what is left, so that a thread that waits for room can end."""
    while not work.done():
        try:
            ready.get(timeout=0.05)
        except Empty:
            continue
