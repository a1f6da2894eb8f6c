"""One experiment, fully described: every setting, its default and its meaning.

Sizes in pixels refer to the fitted network grid. How settings are read from a file and the command
line is :mod:`sonotempo.config_file`.
"""

from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sonotempo.arms import arm_named
from sonotempo.errors import ConfigError, unknown_option
from sonotempo.label_origin import Use
from sonotempo.measures import TESTABLE
from sonotempo.structures import StructureSet, structure_set

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Channels = Annotated[int, Field(ge=1)]
JpegQuality = Annotated[int, Field(ge=1, le=100)]
Latency = Annotated[float, Field(ge=0, allow_inf_nan=False)]
MetricNames = TypeVar("MetricNames", tuple[str, ...], dict[str, float])
Latencies = Latency | Annotated[tuple[Latency, ...], Field(min_length=1)]


def _lowest_first(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"{list(pair)} is not (lowest, highest); swap the two")
    return pair


class Section(BaseModel):
    """A part of an experiment: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class DataConfig(Section):
    """Which recordings, which structures, and how frames become network input.

    Attributes:
        root: the folder of recordings.
        layout: how it is arranged, see :func:`sonotempo.io.open_dataset`.
        structures: a named set, or your own names in label order from 1.
        frames_root: the recordings that an annotation export was made from.
        use: the origins of the masks to train on: ``human``, ``accepted`` (made by a model or
            carried by motion, then accepted by a person), ``propagated``, ``model``. Of these, only
            human and accepted ones are ever scored by.
        follow_links: whether links, and the files that headers name, may lead outside these
            folders.
        area: top, left, bottom, right in pixels of the part that shows ultrasound, where the
            files do not say.
        input_size: side of the square network grid in pixels.
        near_duplicate_correlation: stills whose thumbnails correlate above this share a fold.
        cache: folder for fitted frames.
    """

    root: Path | None = None
    layout: Literal["auto", "annotation_web", "stills", "recordings"] = "auto"
    structures: str | list[str] = "nerve+vessel"
    frames_root: Path | None = None
    use: Annotated[tuple[Use, ...], Field(min_length=1)] = ("human", "accepted")
    follow_links: bool = False
    area: tuple[int, int, int, int] | None = None
    input_size: Annotated[int, Field(ge=32, multiple_of=32)] = 256
    near_duplicate_correlation: Annotated[float, Field(gt=0, le=1)] = 0.9
    cache: Path = Path("cache")

    @field_validator("root", "frames_root", mode="before")
    @classmethod
    def _empty_is_none(cls, path: object) -> object:
        return None if path == "" else path

    @field_validator("root", "frames_root", "cache")
    @classmethod
    def _home_is_found(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser()

    @field_validator("use", mode="before")
    @classmethod
    def _one_word_is_a_list(cls, use: object) -> object:
        return [one.strip() for one in use.split(",")] if isinstance(use, str) else use

    @field_validator("use")
    @classmethod
    def _something_is_scored_by(cls, use: tuple[Use, ...]) -> tuple[Use, ...]:
        if not {"human", "accepted"} & set(use):
            raise ValueError(
                f"{list(use)} holds nothing to score by; add human, accepted or both: only masks "
                "that a person stands behind are references"
            )
        return tuple(one for one in get_args(Use) if one in use)  # their order means nothing

    @field_validator("structures")
    @classmethod
    def _structures_exist(cls, names: str | list[str]) -> str | list[str]:
        try:
            structure_set(names)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return names


class FoldsConfig(Section):
    """How subjects are split; the split is written once and reused.

    Attributes:
        count: K.
        validation_subjects: taken from each fold's training subjects, only watched.
        stratify: spread subjects that show the same structures evenly over the folds.
    """

    count: Annotated[int, Field(ge=2)] = 10
    validation_subjects: Annotated[int, Field(ge=1)] = 1
    stratify: bool = True


class ModelConfig(Section):
    """The network that both arms share, and the memory that only the sequence arm has.

    Attributes:
        encoder: ``plain`` for the seed paper's, or the name of a timm backbone.
        channels: of the plain encoder's levels, and of the decoder's at the same strides.
        pretrained: whether a timm backbone starts from its pretrained weights.
        normalization: after each convolution of the plain encoder and the decoder.
        memory: which cell of :data:`sonotempo.models.memory.CELLS`.
        memory_strides: after which decoder blocks a memory stands.
        memory_channels: hidden channels of each memory; with ``half`` it sees and adds to half of
            the features, with as many hidden channels.
        share_encoder: what becomes of the encoder in arms that start from the frame arm: ``frozen``
            at its weights; ``joint``, trained with the losses of two decoders, the arm's and a
            frame decoder, which is the arm `frame_joint`; ``separate``, trained by each arm alone.
    """

    encoder: str = "plain"
    channels: Annotated[tuple[Channels, ...], Field(min_length=2)] = (8, 16, 32, 64, 128, 256)
    pretrained: bool = False
    normalization: Literal["batch", "group", "none"] = "batch"
    memory: str = "convlstm"
    memory_strides: tuple[int, ...] = (16,)
    memory_channels: Annotated[int, Field(ge=1)] | Literal["half"] = 128
    share_encoder: Literal["frozen", "joint", "separate"] = "frozen"


class AugmentConfig(Section):
    """The six augmentations of Smistad et al. 2021: one draw per clip, each with a probability.

    A pair is (lowest, highest) of a uniform draw. ``shadow_size`` is a standard deviation as a
    share of the grid's side, ``depth_keep`` the share of rows that stay; ``elastic_px``, how far a
    control point moves at most in x and in y, refers to a 256-pixel grid and scales with it.

    Two more are off by default: ``zoom``, a change of size, and a mirror image, left to right. They
    help where few subjects are labelled; mirror only if left and right arms may look alike.
    """

    gamma_probability: Probability = 0.5
    gamma: tuple[Positive, Positive] = (0.5, 2.0)
    rotation_probability: Probability = 0.5
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 10.0
    shadow_probability: Probability = 0.5
    shadow_strength: tuple[Probability, Probability] = (0.3, 0.9)
    shadow_size: tuple[Positive, Positive] = (0.05, 0.25)
    depth_probability: Probability = 0.5
    depth_keep: tuple[Probability, Probability] = (0.6, 1.0)
    jpeg_probability: Probability = 0.5
    jpeg_quality: tuple[JpegQuality, JpegQuality] = (15, 80)
    elastic_probability: Probability = 0.5
    elastic_px: Annotated[float, Field(ge=0)] = 6.0
    elastic_grid: Annotated[int, Field(ge=2)] = 5
    zoom_probability: Probability = 0.0
    zoom: tuple[Positive, Positive] = (0.8, 1.25)
    mirror_probability: Probability = 0.0

    @field_validator(
        "gamma", "shadow_strength", "shadow_size", "depth_keep", "jpeg_quality", "zoom"
    )
    @classmethod
    def _ordered(cls, pair: tuple[float, float]) -> tuple[float, float]:
        return _lowest_first(pair)


class FaultsConfig(Section):
    """Runs of frames that tell little, in training clips: they make memory worth having.

    Probabilities are per clip; the length of a run is log-uniform up to ``max_run_frames``. An
    occlusion covers one structure with a dark patch, and as large patches cover other places: a
    patch that covers only structures would tell where they are.
    """

    dark_probability: Probability = 0.4
    contact_loss_probability: Probability = 0.3
    noise_probability: Probability = 0.05
    occlusion_probability: Probability = 0.0
    max_run_frames: Annotated[int, Field(ge=1)] = 4


class MotionConfig(Section):
    """How a labelled still is moved to become a clip.

    Pixels, degrees and ``scale`` (a share) are the farthest from the still in either direction;
    pixels refer to a 256-pixel grid and scale with it. ``gain`` is the largest relative change of
    brightness; a shadow is drawn per clip, a drop (skipped frame periods) per frame.
    """

    frame_rate_hz: Positive = 20.0
    drift_px: Annotated[float, Field(ge=0)] = 12.0
    rotation_degrees: Annotated[float, Field(ge=0)] = 4.0
    scale: Annotated[float, Field(ge=0, lt=0.5)] = 0.05
    elastic_px: Annotated[float, Field(ge=0)] = 4.0
    breathing_px: Annotated[float, Field(ge=0)] = 3.0
    breathing_hz: tuple[Positive, Positive] = (0.2, 0.4)
    pulse_px: Annotated[float, Field(ge=0)] = 1.5
    pulse_hz: tuple[Positive, Positive] = (0.8, 2.0)
    gain: Annotated[float, Field(ge=0, lt=1)] = 0.15
    shadow_probability: Probability = 0.3
    drop_probability: Probability = 0.1

    @field_validator("breathing_hz", "pulse_hz")
    @classmethod
    def _ordered(cls, pair: tuple[float, float]) -> tuple[float, float]:
        return _lowest_first(pair)


class TrainConfig(Section):
    """The frame arm's training, and what both arms' trainings have in common.

    Attributes:
        initial_weights: a ``weights.safetensors`` that the frame arm starts from, trained on other
            data; None for random weights.
        pseudo_label_frames: how many frames the masks of sparsely labelled videos are carried along
            the tissue's motion, forwards and backwards, to train every arm on; 0 for none.
        epochs: passes over the labelled frames, of the frame arm.
        batch_size: frames per step, of the frame arm.
        learning_rate: Adam's, of the frame arm.
        schedule: of both arms' rates: constant, or a cosine down to zero.
        loss: of both arms: soft Dice as in the seed paper, or Dice plus cross-entropy.
        precision: ``auto`` takes bfloat16 on a GPU that has it, else 32 bit; ``bf16-mixed`` is
            faster on processors with AMX too.
        gradient_clip_norm: largest norm of a step's gradients.
        accelerator: where to compute.
        cuda_graphs: replay training steps as CUDA graphs where every frame is labelled; off, each
            kernel is started by itself.
    """

    initial_weights: Path | None = None
    pseudo_label_frames: Annotated[int, Field(ge=0)] = 0
    epochs: Annotated[int, Field(ge=1)] = 150
    batch_size: Annotated[int, Field(ge=1)] = 16
    learning_rate: Positive = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    loss: Literal["dice", "dice_ce"] = "dice"
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    gradient_clip_norm: Positive = 1.0
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    cuda_graphs: bool = True

    @field_validator("initial_weights")
    @classmethod
    def _home_is_found(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser()


class SequenceConfig(Section):
    """The training of every arm that starts from the same fold's frame weights.

    The sequence arm and its controls are trained alike, so that they differ in the memory alone.

    Attributes:
        epochs: passes over the labelled frames, as clips.
        batch_size: clips per step.
        learning_rate: Adam's, of all that is not memory.
        memory_learning_rate: of the memory, or of what replaces it, which starts at zero
            and has to catch up.
        clip_frames: T, how long the state is carried.
        backpropagation_frames: how many frames gradients flow through; T is a multiple.
        shuffled_frames: single frames of any subject that join every step, without a state: clips
            alone show few subjects at a time.
        foreign_state_probability: per chunk, to begin with the state that another clip left: cures
            the drift of a memory that has only seen the beginning of recordings.
        corrupt_state_probability: per chunk, to begin with a state that is dropped, shifted or
            stale, so that nothing learns to trust it blindly.
    """

    epochs: Annotated[int, Field(ge=1)] = 50
    batch_size: Annotated[int, Field(ge=1)] = 4
    learning_rate: Positive = 5e-4
    memory_learning_rate: Positive = 5e-3
    clip_frames: Annotated[int, Field(ge=2)] = 16
    backpropagation_frames: Annotated[int, Field(ge=1)] = 8
    shuffled_frames: Annotated[int, Field(ge=0)] = 0
    foreign_state_probability: Probability = 0.0
    corrupt_state_probability: Probability = 0.0

    @model_validator(mode="after")
    def _chunks_fit(self) -> "SequenceConfig":
        if self.clip_frames % self.backpropagation_frames:
            raise ValueError(
                f"clip_frames {self.clip_frames} is not a multiple of backpropagation_frames "
                f"{self.backpropagation_frames}"
            )
        return self


StressKind = Literal["dark", "contact_loss", "noise", "freeze", "drop", "occlusion"]


class StressConfig(Section):
    """Disturbances of the test recordings, the same for every arm.

    Attributes:
        kinds: what happens; they take turns.
        longest_frames: lengths are log-uniform from 1 to this.
        back_within: a structure is back at the arm's own level once its Dice is not lower than
            this below that of the same arm on the same frame, undisturbed.
    """

    kinds: Annotated[tuple[StressKind, ...], Field(min_length=1)] = get_args(StressKind)
    longest_frames: Annotated[int, Field(ge=1)] = 30
    back_within: Annotated[float, Field(gt=0, lt=1)] = 0.1


class EvaluateConfig(Section):
    """How arms are scored and compared; radii refer to a 256-pixel grid and scale with it.

    Attributes:
        overlap: what the intersection is divided by: the reference region, or the union.
        overlap_threshold: a true positive overlaps by more than this share.
        ignored_radius_px: regions smaller than a circle of this radius do not count.
        still_clip_frames: length of the clip that both arms see of a still.
        nsd_tolerance_mm: how far apart two boundaries may lie that count as agreeing.
        streaming_latency_ms: from a frame's arrival to its mask, if arms are to be scored as
            streamed too: one number, or measured ones to draw from, for all arms or by arm.
        primary_metrics: what a comparison tests, see :data:`sonotempo.measures.TESTABLE`.
        equivalence_margins: arms whose difference certainly lies inside ± this count as equal: by
            metric, in its unit, instead of the metric's own margin.
        bootstrap_draws: how often subjects are drawn for a confidence interval.
        stress: score the arms on disturbed test recordings too.
    """

    overlap: Literal["reference", "iou"] = "reference"
    overlap_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.25
    ignored_radius_px: Annotated[float, Field(ge=0)] = 7.0
    still_clip_frames: Annotated[int, Field(ge=1)] = 16
    nsd_tolerance_mm: Positive = 1.0
    streaming_latency_ms: Latencies | dict[str, Latencies] | None = None
    primary_metrics: Annotated[tuple[str, ...], Field(min_length=1)] = ("f1", "dice")
    equivalence_margins: dict[str, Positive] = {}
    bootstrap_draws: Annotated[int, Field(ge=100)] = 10_000
    stress: StressConfig | None = None

    @field_validator("primary_metrics", "equivalence_margins")
    @classmethod
    def _metrics_are_known(cls, named: MetricNames) -> MetricNames:
        for name in named:
            if name not in TESTABLE:
                raise ValueError(unknown_option("metric", name, TESTABLE))
        if len(set(named)) < len(named):
            raise ValueError(f"{list(named)} must name each metric once")
        return named


class ControlsConfig(Section):
    """The settings of single control arms.

    Attributes:
        ema_decay: how much of the smoothed logits `frame_ema` keeps from frame to frame.
    """

    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.6


class EngineConfig(Section):
    """Where the jobs of a run are computed; ``engine=ray`` is short for ``engine.kind=ray``.

    It changes nothing in the results of a machine with the same number of threads, and is not kept
    in the run folder: a run can be continued with another engine.

    Attributes:
        kind: ``sequential``, one job at a time in this process; ``local``, several processes on
            this machine; ``ray``, on a cluster.
        jobs: how many run at a time with ``local``; by default ``jobs_per_gpu`` on each GPU, or one
            for every two processor cores.
        threads: processor cores of each job; by default an equal share.
        jobs_per_gpu: how many share a GPU.
        address: of the Ray cluster, ``auto`` for the one that this machine belongs to; by default
            one is started on this machine.
    """

    kind: Literal["sequential", "local", "ray"] = "sequential"
    jobs: Annotated[int, Field(ge=1)] | None = None
    threads: Annotated[int, Field(ge=1)] | None = None
    jobs_per_gpu: Annotated[int, Field(ge=1)] = 1
    address: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_is_kind(cls, given: object) -> object:
        return {"kind": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _belongs_to_kind(self) -> "EngineConfig":
        kinds = {
            "jobs": ("local",),
            "threads": ("local", "ray"),
            "jobs_per_gpu": ("local", "ray"),
            "address": ("ray",),
        }
        for key in self.model_fields_set - {"kind"}:
            default = type(self).model_fields[key].default
            if getattr(self, key) != default and self.kind not in kinds[key]:
                raise ValueError(
                    f"engine.{key} is read by engine={' and engine='.join(kinds[key])} only; set "
                    f"one of these, or leave it out (the engine is {self.kind})"
                )
        return self


class Experiment(Section):
    """One complete experiment: data, folds, both arms, training and evaluation.

    Attributes:
        name: of the run, and of its folder.
        note: a sentence that is printed above every table.
        seed: the same seed, data and machine give the same folds and weights.
        arms: the models to compare, see :mod:`sonotempo.arms`.
    """

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
    note: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    arms: tuple[str, ...] = ("frame", "sequence")
    data: DataConfig = DataConfig()
    folds: FoldsConfig = FoldsConfig()
    model: ModelConfig = ModelConfig()
    augment: AugmentConfig = AugmentConfig()
    faults: FaultsConfig = FaultsConfig()
    motion: MotionConfig = MotionConfig()
    train: TrainConfig = TrainConfig()
    sequence: SequenceConfig = SequenceConfig()
    controls: ControlsConfig = ControlsConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    engine: EngineConfig = EngineConfig()

    @model_validator(mode="after")
    def _arms_have_their_start(self) -> "Experiment":
        if not self.arms or len(set(self.arms)) < len(self.arms):
            raise ValueError(f"arms {list(self.arms)} must name each arm once, at least one")
        for name in self.arms:
            try:
                arm = arm_named(name)
            except ConfigError as error:
                raise ValueError(f"arms: {error}") from error
            if arm.needs and arm.needs not in self.arms:
                raise ValueError(
                    f"arm {name!r} uses the weights of arm {arm.needs!r}; add it to arms"
                )
            if arm.trained_with and self.model.share_encoder != "joint":
                raise ValueError(
                    f"arm {name!r} is trained together with {arm.trained_with!r}; set "
                    f"model.share_encoder=joint (it is {self.model.share_encoder})"
                )
        return self

    @property
    def structures(self) -> StructureSet:
        """The structures that masks and predictions hold."""
        return structure_set(self.data.structures)
