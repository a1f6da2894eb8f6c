import math

import pytest
import torch
from torch import nn

from fakes.experiments import SIZE, TINY, tiny_experiment
from fakes.recordings import make_recording
from sonotempo.config import SequenceConfig, TrainConfig
from sonotempo.data.cache import cache_recording
from sonotempo.data.clips import Clips
from sonotempo.models import build_model
from sonotempo.training.stage import Stage, stage_of
from sonotempo.training.task import SegmentationTask

# Lightning's advice: frozen parts are meant to be in evaluation mode.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Found .* module.* in eval mode:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
]


@pytest.fixture
def cached(tmp_path):
    def make(count=6, labelled=None, name="r"):
        recording = make_recording(
            tmp_path / name, count, labelled=labelled, name=name, content=name.encode()
        )
        return cache_recording(recording, tmp_path / "cache", SIZE, None)

    return make


class Chain(nn.Module):
    """A model with one weight that writes down every state it is given and gives."""

    def __init__(self):
        super().__init__()
        self.memories = nn.ModuleDict()
        self.uses_motion = False
        self.scale = nn.Parameter(torch.ones(1))
        self.seen, self.given, self.returned, self.weights = [], [], [], []

    def initial_state(self, batch, height, width):
        return (torch.zeros(batch),)

    def forward(self, x_BTCHW, state=None, motion_BT3hw=None):
        self.seen.append(x_BTCHW.detach().clone())
        self.given.append(state)
        self.weights.append(self.scale.item())
        total = 0 if state is None else state[0]
        total = total + self.scale * x_BTCHW.mean((1, 2, 3, 4))
        self.returned.append((total,))
        x = x_BTCHW[:, :, 0] * self.scale + total[:, None, None, None]
        return torch.stack([-x, x, 0.5 * x], 2), (total,)


def task_of(model, recordings, *, arm="sequence", experiment=None, validation=None):
    experiment = experiment or tiny_experiment()
    return SegmentationTask(
        model,
        stage_of(arm, experiment),
        experiment,
        train=tuple(recordings),
        validation=tuple(recordings if validation is None else validation),
        seed=5,
    )


def fit(task, epochs=1, **more):
    import lightning  # after sonotempo, which mends what lightning needs

    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        **more,
    )
    trainer.fit(task)
    return trainer


def test_the_state_is_carried_from_chunk_to_chunk_and_its_history_is_not(cached):
    model = Chain()
    experiment = tiny_experiment(
        sequence=SequenceConfig(epochs=1, batch_size=1, clip_frames=6, backpropagation_frames=2)
    )
    fit(
        task_of(model, [cached(6)], experiment=experiment),
        limit_train_batches=1,
        limit_val_batches=0,
    )
    assert [x.shape[1] for x in model.seen] == [2, 2, 2]
    assert not model.given[0][0].any()
    for given, returned in zip(model.given[1:], model.returned, strict=False):
        assert torch.equal(given[0], returned[0])
        assert not given[0].requires_grad
        assert returned[0].requires_grad
    assert len(set(model.weights)) == 3, "one step of the optimiser for each chunk"


def test_a_chunk_without_labels_only_fills_the_memory(cached):
    model = Chain()
    experiment = tiny_experiment(
        sequence=SequenceConfig(epochs=1, batch_size=1, clip_frames=6, backpropagation_frames=2)
    )
    trainer = fit(
        task_of(model, [cached(6, labelled=(5,))], experiment=experiment), limit_val_batches=0
    )
    assert len(model.seen) == 3, "one window"
    assert model.given[2][0].any()
    assert model.weights[0] == model.weights[1] == model.weights[2]
    assert trainer.global_step == 1


def test_the_frame_arm_learns_from_single_frames_without_faults(cached):
    stage = stage_of("frame", tiny_experiment())
    assert (stage.clip_frames, stage.chunk_frames, stage.faults) == (1, 1, False)
    assert stage_of("sequence", tiny_experiment()).faults
    model = Chain()
    fit(task_of(model, [cached(6)], arm="frame"), limit_val_batches=0)
    assert sum(len(x) for x in model.seen) == 6
    assert {x.shape[1] for x in model.seen} == {1}


def started(share_encoder="frozen", **changes):
    torch.manual_seed(0)
    config = TINY.model_copy(update={"share_encoder": share_encoder} | changes)
    frame, sequence = build_model("frame", config, 3), build_model("sequence", config, 3)
    frame.train()(torch.rand(4, 2, 1, 64, 64))  # running statistics of some images
    sequence.start_from(frame)
    sequence.freeze(encoder=share_encoder == "frozen", normalization=True)
    return frame, sequence


@pytest.mark.parametrize("encoder", ["plain", "mobilenetv3_small_100"])
def test_a_shared_encoder_and_all_statistics_stay_bit_by_bit(cached, encoder):
    frame, sequence = started(encoder=encoder)
    fit(task_of(sequence, [cached(6)]), epochs=2)
    before, after = frame.state_dict(), sequence.state_dict()
    kept = [name for name in before if name.startswith("encoder.") or "running_" in name]
    assert any("decoder" in name for name in kept)
    for name in kept:
        assert torch.equal(before[name], after[name]), name
    moved = [name for name in before if name not in kept and "num_batches" not in name]
    assert any(not torch.equal(before[name], after[name]) for name in moved)
    assert any(w.any() for m in sequence.memories.values() for w in m.projection.parameters())


def test_an_encoder_that_is_not_shared_learns_while_its_statistics_stay(cached):
    frame, sequence = started(share_encoder="separate")
    fit(task_of(sequence, [cached(6)]))
    before, after = frame.state_dict(), sequence.state_dict()
    for name in before:
        if "running_" in name:
            assert torch.equal(before[name], after[name]), name
    weights = [name for name in before if name.startswith("encoder.") and name.endswith("0.weight")]
    assert weights
    assert all(not torch.equal(before[name], after[name]) for name in weights)


def test_the_memory_learns_at_a_rate_of_its_own(cached):
    _, sequence = started()
    task = task_of(sequence, [cached(6)])
    groups = task.configure_optimizers().param_groups
    memory = {id(w) for w in sequence.memories.parameters()}
    assert {id(w) for w in groups[1]["params"]} == memory
    assert groups[1]["lr"] == task.stage.memory_learning_rate
    assert groups[0]["lr"] == task.stage.learning_rate
    trained = {id(w) for group in groups for w in group["params"]}
    assert trained == {id(w) for w in sequence.parameters() if w.requires_grad}


def test_a_cosine_schedule_ends_at_zero(cached):
    experiment = tiny_experiment(
        train=TrainConfig(epochs=3, batch_size=4, accelerator="cpu", schedule="cosine")
    )
    task = task_of(build_model("frame", TINY, 3), [cached(6)], arm="frame", experiment=experiment)
    fit(task, epochs=3)
    assert task.optimizers().param_groups[0]["lr"] == pytest.approx(0, abs=1e-9)


def test_memory_use_is_logged_for_a_model_with_memory_only(cached):
    _, sequence = started()
    recording = cached(6)
    logged = fit(task_of(sequence, [recording])).callback_metrics
    assert 0 < float(logged["memory_use"]) < 1
    assert {"training_loss", "validation_loss", "validation_dice"} <= set(logged)
    frame = build_model("frame", TINY, 3)
    logged = fit(task_of(frame, [recording], arm="frame")).callback_metrics
    assert "memory_use" not in logged
    assert 0 <= float(logged["validation_dice"]) <= 1


def test_an_unused_memory_is_logged_as_nothing(cached):
    _, sequence = started()
    still = tiny_experiment(
        sequence=SequenceConfig(
            epochs=1,
            batch_size=2,
            clip_frames=4,
            backpropagation_frames=4,
            memory_learning_rate=1e-12,
        )
    )
    logged = fit(task_of(sequence, [cached(6)], experiment=still)).callback_metrics
    assert float(logged["memory_use"]) < 1e-6


def test_training_is_the_same_for_the_same_seed(cached):
    recording = cached(6)

    def trained():
        _, sequence = started()
        fit(task_of(sequence, [recording]), epochs=2)
        return sequence.state_dict()

    one = trained()
    torch.rand(17)  # the global generator has no say
    other = trained()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_structure_that_validation_never_shows_does_not_count_as_missed(cached):
    """The masks hold the first structure only; a model that finds it exactly scores 1."""

    class Right(Chain):
        def forward(self, x_BTCHW, state=None, motion_BT3hw=None):
            _, state = super().forward(x_BTCHW, state)
            left = torch.zeros_like(x_BTCHW[:, :, 0])
            left[:, :, : round(40 * 32 / 48), :16] = 9
            return torch.stack([4.5 + 0 * left, left, -left], 2) * self.scale, state

    logged = fit(task_of(Right(), [cached(6)])).callback_metrics
    assert float(logged["validation_dice"]) == pytest.approx(1, abs=1e-3)


def still_batch(size=64, frames=16, still=(True, False)):
    pixels = torch.randint(0, 256, (2, 1, size, size), dtype=torch.uint8).expand(2, frames, -1, -1)
    masks = (pixels > 128).to(torch.uint8)
    labelled = torch.ones(2, frames, dtype=torch.bool)
    return Clips(pixels, masks, labelled, torch.tensor(still))


def test_only_stills_are_moved(cached):
    quiet = tiny_experiment().model_copy(
        update={
            "augment": tiny_experiment().augment.model_copy(
                update={
                    f"{kind}_probability": 0.0
                    for kind in ("gamma", "rotation", "shadow", "depth", "jpeg", "elastic")
                }
            )
        }
    )
    task = task_of(Chain(), [cached(6)], arm="frame", experiment=quiet)
    batch = still_batch()
    x, masks = task.augmented(batch, torch.Generator().manual_seed(0))
    assert torch.equal(x[1, :, 0], batch.frames_BTHW[1].float() / 255)
    assert torch.equal(masks[1], batch.masks_BTHW[1])
    assert not torch.equal(x[0, 0], x[0, -1])
    assert (masks[0] != masks[0, 0]).any()


def test_a_stage_holds_what_the_experiment_says():
    experiment = tiny_experiment()
    assert stage_of("sequence", experiment) == Stage(
        epochs=2,
        batch_size=2,
        clip_frames=4,
        chunk_frames=2,
        learning_rate=experiment.sequence.learning_rate,
        memory_learning_rate=experiment.sequence.memory_learning_rate,
        faults=True,
    )
    assert math.isclose(stage_of("frame", experiment).learning_rate, 1e-2)
