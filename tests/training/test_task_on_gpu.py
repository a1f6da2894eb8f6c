"""How a task trains on a GPU, its parts on the CPU: batches ahead, steps as one function."""

from functools import partial

import pytest
import torch

from fakes.experiments import SIZE, TINY, tiny_experiment
from fakes.recordings import make_recording
from sonotempo.config import TrainConfig
from sonotempo.data.cache import cache_recording
from sonotempo.models import build_model
from sonotempo.training.prefetch import PreparedBatches
from sonotempo.training.stage import stage_of
from sonotempo.training.task import SegmentationTask

pytestmark = [
    pytest.mark.filterwarnings("ignore:Found .* module.* in eval mode:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
]


class Ahead(SegmentationTask):
    """Takes its batches from the thread, as on a GPU."""

    def train_dataloader(self):
        loader = super().train_dataloader()
        return PreparedBatches(loader, partial(self._prepared, self.current_epoch), self.device)


class AsOneFunction(SegmentationTask):
    """Takes its steps through what a GPU captures; nothing is captured here."""

    def _as_graph(self, batch):
        return batch.all_labelled


def trained(kind, arm, tmp_path, labelled=None):
    import lightning  # after sonotempo, which mends what lightning needs

    recording = make_recording(tmp_path / "r", 7, labelled=labelled, name="r", content=b"r")
    cached = cache_recording(recording, tmp_path / "cache", SIZE, None)
    experiment = tiny_experiment(
        train=TrainConfig(batch_size=4, accelerator="cpu", learning_rate=1e-2, cuda_graphs=False)
    )
    torch.manual_seed(0)
    model = build_model(arm, TINY, 3)
    task = kind(
        model, stage_of(arm, experiment), experiment, train=(cached,), validation=(), seed=5
    )
    lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        reload_dataloaders_every_n_epochs=1,
    ).fit(task)
    return model.state_dict()


@pytest.mark.parametrize("arm", ["frame", "sequence"])
def test_batches_prepared_ahead_change_nothing(arm, tmp_path):
    wanted = trained(SegmentationTask, arm, tmp_path)
    found = trained(Ahead, arm, tmp_path)
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)


@pytest.mark.parametrize("labelled", [None, (0, 1, 2, 3, 5, 6)])
@pytest.mark.parametrize("arm", ["frame", "sequence"])
def test_a_step_as_one_function_trains_alike(arm, labelled, tmp_path):
    wanted = trained(SegmentationTask, arm, tmp_path, labelled)
    found = trained(AsOneFunction, arm, tmp_path, labelled)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)
