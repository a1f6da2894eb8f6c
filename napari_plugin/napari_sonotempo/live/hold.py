"""The last seconds of a stream, held still to be looked through while the stream goes on."""

from dataclasses import dataclass

from sonotempo.live.buffer.ring_buffer import RingReader
from sonotempo.live.history import PredictionHistory, StepResult

_HELD_NS = 10_000_000_000


@dataclass(frozen=True, slots=True)
class Held:
    """Frames of the last seconds with what is known of them.

    Attributes:
        results: oldest first. A frame that no model saw has no predictions.
    """

    results: tuple[StepResult, ...]

    def index_of(self, number: int) -> int:
        """Return the place of a frame, or of the nearest one that is held."""
        if not self.results:
            return 0
        first = self.results[0].frame.index
        return min(max(0, number - first), len(self.results) - 1)

    def seconds_back(self, index: int) -> float:
        """Return how long before the newest one a frame was captured."""
        newest, this = self.results[-1], self.results[index]
        return (newest.captured_ns - this.captured_ns) / 1e9


def hold(reader: RingReader, history: PredictionHistory, last: int) -> Held:
    """Copy all frames that are still there, up to a number.

    Takes tens of milliseconds and as much memory as the ring buffer: not for the GUI thread.
    """
    results: list[StepResult] = []
    for number in range(reader.oldest, last + 1):
        result = history.get(number)
        if result is None:
            streamed = reader.read(number)
            if streamed is None:  # overwritten meanwhile
                results.clear()
                continue
            result = StepResult(streamed.frame, (), streamed.host_ns, streamed.host_ns)
        results.append(result)
    recent = [one for one in results if results[-1].captured_ns - one.captured_ns <= _HELD_NS]
    return Held(tuple(recent))
