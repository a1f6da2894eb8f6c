"""From a pipeline's results to the masks of a recording."""

from sonotempo.live.history import PredictionHistory
from sonotempo.live.recording.recorder import Recorder
from sonotempo.recording import Prediction


class MaskTap:
    """Passes new results to a recorder, in the frames' own shape.

    Args:
        history: the results of the last seconds.
        recorder: what writes them.
        after: only results of later frames are passed on.
    """

    def __init__(self, history: PredictionHistory, recorder: Recorder, after: int = -1) -> None:
        self._history, self._recorder = history, recorder
        self._last = after

    def record(self) -> None:
        """Pass on what is new; call it a few times a second, before results are forgotten."""
        for number in self._history.numbers():
            result = self._history.get(number) if number > self._last else None
            if result is None:
                continue
            self._last = number
            self._recorder.add(
                tuple(
                    Prediction(result.frame, made.mask_HW(), None, made.state_age, made.model)
                    for made in result.predictions
                )
            )
