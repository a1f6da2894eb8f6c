"""An exported model behind the Predictor protocol: frame in, one prediction per arm out."""

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonotempo.calibration import structure_confidences
from sonotempo.errors import ModelError
from sonotempo.flow import Motion, Track, carried, track
from sonotempo.guard import guarded
from sonotempo.live.closing import Closing
from sonotempo.live.models.card import ModelCard, input_shapes
from sonotempo.live.models.engines import open_engine
from sonotempo.live.models.external import card_of
from sonotempo.live.models.labels import FloatArray, Labels, labels_of, softmax
from sonotempo.live.models.screening import is_plain
from sonotempo.live.models.trial import require_first_step
from sonotempo.preprocess import Fit, fit_frame
from sonotempo.recording import Box, Frame, Image, Prediction
from sonotempo.structures import StructureSet


@dataclass(frozen=True, slots=True, eq=False)
class GridPrediction:
    """A mask on the network grid, without the pixels of its frame, so that many can be kept.

    Attributes:
        mask_SS: uint8 label values on the network grid.
        fit: maps back to the frame's own shape.
        state_age: how many frames the model has seen since its last reset, this one included.
        model: the arm that made it.
        confidences: of every structure, NaN for those that are not in the mask; see
            :func:`sonotempo.calibration.structure_confidences`.
    """

    mask_SS: Image
    fit: Fit
    state_age: int
    model: str
    confidences: tuple[float, ...] = ()

    def mask_HW(self) -> Image:
        """Return the mask in the frame's own shape; every call computes it."""
        return self.fit.mask_back(self.mask_SS)


class OnnxPredictor(Closing):
    """Segments frames of any geometry one after another, and holds the state between them.

    The caller decides when the state is no longer valid, and calls :meth:`reset`.

    Args:
        path: an ``.onnx`` file from ``sonotempo export`` or another tool.
        engine: ``auto`` or one of :data:`sonotempo.live.models.engines.ENGINES`.
        threads: how many cores a step may use, or None for all.
        structures: the channels of an external file; our files name their own.
        area: the image area for frames without one; by default the one set in training.
        along_motion: run a frame model a second time without running its network: its probabilities
            are carried along the tissue's motion (:func:`sonotempo.flow.carried`).

    Attributes:
        model: the file's description.
        engine: what really computes, for the user.
        preprocess_ns: how long the last step took to fit the frame to the network grid, and to
            find the motion to it.
        inference_ns: how long its network ran.

    Raises:
        ModelError: the file is missing or damaged, has no description, or differs from it; or the
            engine is not available.
        ConfigError: an unknown engine.
    """

    def __init__(
        self,
        path: Path,
        engine: str = "auto",
        threads: int | None = None,
        *,
        structures: StructureSet | None = None,
        area: Box | None = None,
        along_motion: bool = False,
    ) -> None:
        path = Path(path)
        card = card_of(path, structures)
        if not is_plain(path):
            scores = card.members[0].probabilities
            require_first_step(path, input_shapes(card), scores, card.input_size)
        self.model: ModelCard = card.along_motion() if along_motion else card
        self._along_motion = along_motion
        self._tracks = along_motion or card.motion is not None
        self._track: Track | None = None
        self._running: FloatArray | None = None
        self._engine = open_engine(path, card, engine, threads)
        self.engine: str = self._engine.description
        self._area = area or self.model.area
        size = self.model.input_size
        self._image_11SS = np.zeros((1, 1, size, size), np.float32)
        self._state_age = 0
        self.preprocess_ns = 0
        self.inference_ns = 0
        # The first run of a network allocates and compiles; do it before a stream starts.
        with guarded(f"{path} cannot run", "export the model again", ModelError):
            self._engine.step(self._image_11SS)
        self.reset()

    @property
    def stateful(self) -> bool:
        """Whether it depends on earlier frames."""
        return self.model.stateful

    def reset(self) -> None:
        """Forget all earlier frames."""
        self._engine.reset()
        self._state_age = 0
        self._track = self._running = None

    def step(self, frame: Frame) -> tuple[Prediction, ...]:
        """Segment the next frame: one prediction per arm, masks in the frame's own shape."""
        fit, labelled = self._labelled(frame)
        return tuple(
            Prediction(
                frame,
                fit.mask_back(mask_SS),
                fit.values_back(confidence_SS),
                self._state_age,
                member.arm,
            )
            for member, (mask_SS, confidence_SS) in zip(self.model.members, labelled, strict=True)
        )

    def step_on_grid(self, frame: Frame) -> tuple[GridPrediction, ...]:
        """Segment the next frame; the masks stay on the network grid."""
        fit, labelled = self._labelled(frame)
        structures = len(self.model.structures)
        return tuple(
            GridPrediction(
                mask_SS,
                fit,
                self._state_age,
                member.arm,
                structure_confidences(mask_SS, probability_SS, structures, member.temperatures),
            )
            for member, (mask_SS, probability_SS) in zip(self.model.members, labelled, strict=True)
        )

    def _labelled(self, frame: Frame) -> tuple[Fit, list[Labels]]:
        """Run the network; return the fit, and every member's labels and their probabilities."""
        began_ns = time.perf_counter_ns()
        fit = fit_frame(frame, self.model.input_size, self._area)
        image_SS = fit.image(frame.image_HW)
        np.divide(image_SS, np.float32(255), out=self._image_11SS[0, 0])
        motion: Motion | None = None
        if self._tracks:
            motion, self._track = track(image_SS, self._track)
        fitted_ns = time.perf_counter_ns()
        found = self._found(motion)
        self._state_age += 1
        done_ns = time.perf_counter_ns()
        self.preprocess_ns, self.inference_ns = fitted_ns - began_ns, done_ns - fitted_ns
        labelled = []
        for member, (mask_SS, probability_SS) in zip(self.model.members, found, strict=True):
            _check_finite(probability_SS, member.arm, frame)
            labelled.append(Labels(fit.in_sector(mask_SS), probability_SS))
        return fit, labelled

    def _found(self, motion: Motion | None) -> tuple[Labels, ...]:
        """Return every member's labels of the image that was prepared."""
        motion_3hh = None if motion is None else motion.network_input()
        if not self._along_motion:
            return self._engine.labels(self._image_11SS, motion_3hh)
        scores = self._engine.step(self._image_11SS, motion_3hh)
        if motion is not None:
            scores = (*scores, self._carried(scores[0], motion))
        return tuple(
            labels_of(member, scores_1KSS)
            for member, scores_1KSS in zip(self.model.members, scores, strict=True)
        )

    def _carried(self, scores_1KSS: FloatArray, motion: Motion) -> FloatArray:
        """Carry the frame model's output along the motion: probabilities, or their logarithm."""
        (member, _) = self.model.members
        new_KSS = softmax(scores_1KSS[0]) if member.is_logits else scores_1KSS[0]
        shown_KSS, self._running = carried(self._running, new_KSS, motion)
        return np.log(np.maximum(shown_KSS, 1e-9))[None] if member.is_logits else shown_KSS[None]

    def close(self) -> None:
        """Free the engine; a closed predictor cannot step."""
        self._engine.close()


def _check_finite(confidence_SS: FloatArray, arm: str, frame: Frame) -> None:
    """Refuse a mask that means nothing: a comparison with what is not a number is never true."""
    # A sum is several times as fast as a test of every pixel, and finite if every pixel is.
    if not math.isfinite(float(confidence_SS.sum())):
        wrong = int(np.count_nonzero(~np.isfinite(confidence_SS)))
        raise ModelError(
            f"arm {arm!r} gave values that are not finite in frame {frame.index}, {wrong} of "
            f"{confidence_SS.size} pixels: its weights are damaged or overflow; train or export it "
            "again, in single precision"
        )
