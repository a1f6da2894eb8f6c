"""What one training step does, for every arm alike: a clip in, the loss of its labelled frames.

Gradients are truncated: a clip is processed in chunks, and each chunk starts from the state that
the previous one left, without its history (truncated back-propagation through time).
"""

from functools import partial
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sonotempo.config import Experiment
from sonotempo.data.augment import Augmentation, apply_effects
from sonotempo.data.cache import CachedRecording
from sonotempo.data.clips import ClipDataset, Clips, Window, cut_windows, join_clips
from sonotempo.data.faults import Faults
from sonotempo.data.stills import StillMotion
from sonotempo.flow import grid_side
from sonotempo.models import Segmenter, State, in_channels_last
from sonotempo.models.alignment import no_motion
from sonotempo.training.graphed_step import GraphedSteps
from sonotempo.training.losses import SegmentationLoss
from sonotempo.training.motion import motion_of
from sonotempo.training.prefetch import Prepared, PreparedBatches
from sonotempo.training.stage import Stage
from sonotempo.training.states import corrupted, exchanged

#: Below this mean change of probabilities the memory counts as unused.
UNUSED_MEMORY = 1e-3

#: Below this Dice on the validation subjects a structure counts as never found.
NEVER_FOUND = 0.05


class SegmentationTask(lightning.LightningModule):
    """Trains one network in one fold.

    All randomness derives from the seed, the fold, the epoch and the step, so a resumed training
    ends exactly like one that was never interrupted.

    Args:
        model: the network.
        stage: how it is trained.
        experiment: data, augmentation, loss and schedule.
        train: recordings for training.
        validation: recordings for monitoring.
        seed: of this job, for example from the experiment's seed and the fold.
        companion: a frame network whose decoder learns over the encoder of ``model`` too; its own
            encoder is replaced by that one.
    """

    def __init__(
        self,
        model: Segmenter,
        stage: Stage,
        experiment: Experiment,
        *,
        train: tuple[CachedRecording, ...],
        validation: tuple[CachedRecording, ...],
        seed: int,
        companion: Segmenter | None = None,
    ) -> None:
        super().__init__()
        # Truncated back-propagation takes several optimiser steps per batch.
        self.automatic_optimization = False
        self.model = in_channels_last(model)
        if companion is not None:
            companion.encoder = self.model.encoder
            companion = in_channels_last(companion)
        self.companion = companion
        self.stage = stage
        self.experiment = experiment
        self.loss = SegmentationLoss(experiment.train.loss)
        self._recordings = {"train": train, "validation": validation}
        self._seed = seed
        self._augmentation = Augmentation(experiment.augment)
        self._faults = Faults(experiment.faults)
        self._motion = StillMotion(experiment.motion)
        self._overlaps: list[Tensor] = []
        self._frames = ClipDataset(train, cut_windows(train, 1, None))
        self._steps: GraphedSteps | None = None

    def configure_optimizers(self) -> Any:
        """Return Adam, with a separate rate for the memory, and a cosine decay if chosen."""
        memory = list(self.model.memories.parameters())
        own = {id(weight) for weight in memory}
        # Of this module, which lists an encoder that two decoders share once.
        rest = [w for w in self.parameters() if w.requires_grad and id(w) not in own]
        groups = [{"params": rest, "lr": self.stage.learning_rate}]
        if memory:
            groups.append({"params": memory, "lr": self.stage.memory_learning_rate})
        # On a GPU one kernel updates every weight.
        optimizer = torch.optim.Adam(groups, fused=True if self.device.type == "cuda" else None)
        if self.experiment.train.schedule == "constant":
            return optimizer
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.stage.epochs)
        return [optimizer], [schedule]

    def train_dataloader(self) -> "DataLoader[Clips] | PreparedBatches":
        """Cut new windows; called at the start of every epoch. For a GPU, prepare ahead."""
        random = np.random.default_rng(self._derived_seed(self.current_epoch))
        windows = cut_windows(self._recordings["train"], self.stage.clip_frames, random)
        # The loader must not shuffle: its order depends on how often it was started, and a resumed
        # training starts it once more.
        random.shuffle(windows)
        loader = self._loader("train", windows)
        if self.device.type != "cuda":
            return loader
        return PreparedBatches(loader, partial(self._prepared, self.current_epoch), self.device)

    def val_dataloader(self) -> DataLoader[Clips]:
        """Return the same windows in every epoch."""
        windows = cut_windows(self._recordings["validation"], self.stage.clip_frames, None)
        return self._loader("validation", windows)

    def _loader(self, side: str, windows: list[Window]) -> DataLoader[Clips]:
        # One process is enough: reading copies from mapped memory, and augmentation runs on the
        # training device.
        return DataLoader(
            ClipDataset(self._recordings[side], windows),
            batch_size=self.stage.batch_size,
            collate_fn=join_clips,
            pin_memory=torch.cuda.is_available(),
        )

    def transfer_batch_to_device(
        self, batch: Clips | Prepared, device: torch.device, _: int
    ) -> Clips | Prepared:
        """Move a batch as uint8: a quarter of what floats would need."""
        return batch if isinstance(batch, Prepared) else batch.to(device)

    def _prepared(self, epoch: int, batch: Clips, batch_index: int) -> Prepared:
        """Turn a batch as read into network input on the training device."""
        generator = self._generator(epoch, batch_index)
        all_labelled = batch.labelled_BT.device.type == "cpu" and bool(batch.labelled_BT.all())
        clips = batch.to(self.device)
        x_BTCHW, masks_BTHW = self.augmented(clips, generator)
        motion_BT3hw = self._motion_for_model(x_BTCHW)
        return Prepared(clips, x_BTCHW, masks_BTHW, motion_BT3hw, generator, all_labelled)

    def training_step(self, batch: Clips | Prepared, batch_index: int) -> None:
        """Train on one batch of clips, chunk by chunk."""
        if isinstance(batch, Clips):
            batch = self._prepared(self.current_epoch, batch, batch_index)
        stage, recipe, generator = self.stage, self.experiment.sequence, batch.generator
        optimizer = self.optimizers()
        state: State = self.model.initial_state(len(batch.x_BTCHW), *batch.x_BTCHW.shape[-2:])
        older = state
        for start in range(0, stage.clip_frames, stage.chunk_frames):
            chunk = slice(start, start + stage.chunk_frames)
            begin = state
            if start > 0:
                begin = exchanged(state, recipe.foreign_state_probability, generator)
                begin = corrupted(begin, older, recipe.corrupt_state_probability, generator)
            older = state
            loss, state = self._learned(batch, chunk, begin)
            if loss is None:
                continue  # these frames only fill the memory
            optimizer.step()
            self.log(
                "training_loss",
                loss,
                on_epoch=True,
                on_step=False,
                batch_size=len(batch.clips.still_B),
            )

    def _learned(self, batch: Prepared, chunk: slice, begin: State) -> tuple[Tensor | None, State]:
        """Leave the gradients of one chunk; return its loss, None without labels, and the state."""
        if self._as_graph(batch):
            steps = self._steps or self._graphed_steps()
            return steps(batch.x_BTCHW[:, chunk], batch.masks_BTHW[:, chunk], begin)
        decoded, state = self._decoded(
            batch.x_BTCHW[:, chunk],
            begin,
            None if batch.motion_BT3hw is None else batch.motion_BT3hw[:, chunk],
        )
        state = tuple(part.detach() for part in state)
        labelled_BT = batch.clips.labelled_BT[:, chunk]
        if not labelled_BT.any():
            return None, state
        logits = [logits_BTKHW[labelled_BT] for logits_BTKHW in decoded]
        masks_NHW = batch.masks_BTHW[:, chunk][labelled_BT]
        if self.stage.shuffled_frames:
            singles, single_NHW = self._shuffled(batch.generator)
            logits = [
                torch.cat((clip_NKHW.float(), single_NKHW.float()))
                for clip_NKHW, single_NKHW in zip(logits, singles, strict=True)
            ]
            masks_NHW = torch.cat((masks_NHW, single_NHW))
        loss = torch.stack([self.loss(one_NKHW, masks_NHW) for one_NKHW in logits]).sum()
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        self.clip_gradients(
            optimizer,
            gradient_clip_val=self.experiment.train.gradient_clip_norm,
            gradient_clip_algorithm="norm",
        )
        return loss.detach(), state

    def _as_graph(self, batch: Prepared) -> bool:
        """Whether a step depends on nothing but its input, labels and state."""
        return (
            self.device.type == "cuda"
            and batch.all_labelled
            and batch.motion_BT3hw is None
            and self.companion is None
            and not self.stage.shuffled_frames
        )

    def _graphed_steps(self) -> GraphedSteps:
        weights = [weight for weight in self.parameters() if weight.requires_grad]
        clip_norm = self.experiment.train.gradient_clip_norm

        def learn(x_BTCHW: Tensor, masks_BTHW: Tensor, state: State) -> tuple[Tensor, State]:
            logits_BTKHW, state = self.model(x_BTCHW, state)
            loss = self.loss(logits_BTKHW.flatten(0, 1), masks_BTHW.flatten(0, 1))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, clip_norm)
            return loss.detach(), tuple(part.detach() for part in state)

        self._steps = GraphedSteps(learn, weights, enabled=self.experiment.train.cuda_graphs)
        return self._steps

    def _decoded(
        self, x_BTCHW: Tensor, state: State | None, motion_BT3hw: Tensor | None
    ) -> tuple[list[Tensor], State]:
        """Return the logits BTKHW of the network, and of its companion if it has one."""
        if self.companion is None:
            logits_BTKHW, state = self.model(x_BTCHW, state, motion_BT3hw)
            return [logits_BTKHW], state
        clips, frames, _, height, width = x_BTCHW.shape
        if state is None:
            state = self.model.initial_state(clips, height, width)
        features = self.model.encoder(x_BTCHW.flatten(0, 1))
        motion_N3hw = None if motion_BT3hw is None else motion_BT3hw.flatten(0, 1)
        logits_NKHW, state = self.model.decode(features, state, frames, motion_N3hw)
        alone_NKHW, _ = self.companion.decode(features, ())
        shape = (clips, frames, *logits_NKHW.shape[1:])
        return [one.reshape(shape) for one in (logits_NKHW, alone_NKHW)], state

    def _shuffled(self, generator: torch.Generator) -> tuple[list[Tensor], Tensor]:
        """Return single frames, drawn over all recordings: logits NKHW by decoder, labels NHW."""
        frames = self._frames
        chosen = torch.randint(
            len(frames),
            (self.stage.shuffled_frames,),
            generator=generator,
            device=generator.device,
        )
        batch = join_clips([frames[index] for index in chosen.tolist()]).to(self.device)
        x_B1CHW, masks_B1HW = self._augmentation(batch.frames_BTHW, batch.masks_BTHW, generator)
        motion_B13hw = None
        if self.companion is not None and self.model.uses_motion:
            motion_B13hw = no_motion(x_B1CHW, grid_side(x_B1CHW.shape[-1]))
        decoded, _ = self._decoded(x_B1CHW, None, motion_B13hw)
        return [logits_B1KHW[:, 0] for logits_B1KHW in decoded], masks_B1HW[:, 0]

    def on_train_epoch_end(self) -> None:
        """Step the schedule, if there is one."""
        schedule = self.lr_schedulers()
        if schedule is not None:
            schedule.step()

    def augmented(self, batch: Clips, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Turn a batch into network input: motion of stills and augmentation, then faults."""
        moves = self._displacement(batch, generator, ends_still=False)
        x_BTCHW, masks_BTHW = self._augmentation(
            batch.frames_BTHW, batch.masks_BTHW, generator, moves
        )
        if batch.still_B.any():
            moved = self._motion.appearance(x_BTCHW, generator, ends_still=False)
            x_BTCHW = torch.where(batch.still_B[:, None, None, None, None], moved, x_BTCHW)
        if self.stage.faults:
            x_BTCHW = self._faults(x_BTCHW, masks_BTHW, generator)
        return x_BTCHW, masks_BTHW

    def _displacement(
        self, batch: Clips, generator: torch.Generator, *, ends_still: bool
    ) -> Tensor | None:
        """Draw how stills move, BTHW2 in pixels; nothing moves in clips of real frames."""
        if not batch.still_B.any():
            return None
        clips, frames, size = batch.frames_BTHW.shape[:3]
        moves_BTHW2 = self._motion.displacement(
            clips, frames, size, generator, ends_still=ends_still
        )
        moves_BTHW2[~batch.still_B] = 0
        return moves_BTHW2

    def on_validation_epoch_start(self) -> None:
        """Forget the overlaps of the previous epoch."""
        self._overlaps = []

    def validation_step(self, batch: Clips, batch_index: int) -> None:
        """Log the loss, and how much the memory changes probabilities."""
        count = len(batch.still_B)
        # The same motion in every epoch, and no augmentation.
        moves = self._displacement(batch, self._generator(batch_index), ends_still=True)
        x_BTCHW, masks_BTHW = apply_effects(
            batch.frames_BTHW, batch.masks_BTHW, [()] * count, moves
        )
        logits_BTKHW, state = self.model(x_BTCHW, None, self._motion_for_model(x_BTCHW))
        self.log(
            "validation_loss",
            self.loss(logits_BTKHW[batch.labelled_BT], masks_BTHW[batch.labelled_BT]),
            batch_size=count,
        )
        self._overlaps.append(_overlap(logits_BTKHW, masks_BTHW, batch.labelled_BT))
        if state and x_BTCHW.shape[1] > 1:
            use = self._memory_use(x_BTCHW, masks_BTHW, batch_index)
            self.log("memory_use", use, batch_size=count)

    def _motion_for_model(self, x_BTCHW: Tensor) -> Tensor | None:
        return motion_of(x_BTCHW) if self.model.uses_motion else None

    def _memory_use(self, x_BTCHW: Tensor, masks_BTHW: Tensor, batch_index: int) -> Tensor:
        """Return the mean change of probabilities between carried and reset state, with faults.

        Without faults even a useful memory may change nothing: one frame can be enough.
        """
        x_BTCHW = self._faults(x_BTCHW, masks_BTHW, self._generator(batch_index))
        carried_BTKHW, _ = self.model(x_BTCHW, None, self._motion_for_model(x_BTCHW))
        reset_BTKHW, _ = self.model(x_BTCHW.flatten(0, 1).unsqueeze(1))
        change = carried_BTKHW.softmax(2) - reset_BTKHW.view_as(carried_BTKHW).softmax(2)
        return change[:, 1:].abs().mean()

    def on_validation_epoch_end(self) -> None:
        """Log the Dice of the validation subjects, pixels pooled, by structure and their mean."""
        if not self._overlaps:
            return
        both, either = torch.stack(self._overlaps).sum(0)
        dice = 2 * both / either
        # A structure that is neither present nor predicted is 0/0 and left out.
        self.log("validation_dice", dice.nanmean())
        for name, value in zip(self.experiment.structures.names, dice, strict=True):
            if not value.isnan():
                self.log(f"validation_dice/{name}", value)

    def _generator(self, *place: int) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(self._derived_seed(*place))

    def _derived_seed(self, *place: int) -> int:
        return int(np.random.SeedSequence([self._seed, *place]).generate_state(1)[0])


def _overlap(logits_BTKHW: Tensor, masks_BTHW: Tensor, labelled_BT: Tensor) -> Tensor:
    """Return, for every structure, the pixels in both masks and the sum of both: (2, K - 1)."""
    classes = logits_BTKHW.shape[2]
    predicted = logits_BTKHW[labelled_BT].argmax(1)
    reference = masks_BTHW[labelled_BT]
    both, either = [], []
    for label in range(1, classes):
        mine, given = predicted == label, reference == label
        both.append((mine & given).sum())
        either.append(mine.sum() + given.sum())
    return torch.stack([torch.stack(both), torch.stack(either)]).float()
