"""Memory cells, which carry features from one frame to the next, and their controls.

To add a cell, write a :class:`MemoryCell` here and add it to :data:`CELLS`. State is an argument
and a result, never kept in the module. Nothing has more than four axes when a single frame is
stepped, so the same code trains on clips and is exported.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sonotempo.models.alignment import State, aligned, motion_at, trusted


class MemoryCell(nn.Module, ABC):
    """A recurrent cell on feature maps: C channels in, C_h hidden channels out.

    A subclass takes ``(in_channels, hidden_channels)`` and defines :attr:`state_channels` and
    :meth:`forward`. Work that needs no state goes into :meth:`prepare`.
    """

    @property
    @abstractmethod
    def state_channels(self) -> tuple[int, ...]:
        """Channels of each state tensor; all have the height and width of the features."""

    def prepare(self, x_NCHW: Tensor) -> Tensor:
        """Process all frames of all clips at once, before they are stepped one by one."""
        return x_NCHW

    @abstractmethod
    def forward(self, x_BCHW: Tensor, state: State) -> tuple[Tensor, State]:
        """Step one frame of each clip.

        Args:
            x_BCHW: the frames as :meth:`prepare` returned them.
            state: one tensor BCHW for each of :attr:`state_channels`; zeros at first.

        Returns:
            Hidden features B C_h H W, and the state after this frame.
        """

    @classmethod
    def control(cls, in_channels: int, hidden_channels: int) -> "MemoryCell":
        """Return the stateless cell that this one is compared with: as many parameters."""
        with torch.device("meta"):  # only counted: draws no random numbers
            cell = cls(in_channels, hidden_channels)
        parameters = sum(weight.numel() for weight in cell.parameters())
        return ExtraConvolutions(in_channels, hidden_channels, parameters)


class ConvLSTM(MemoryCell):
    """The 3x3 ConvLSTM of Shi et al. 2015 (arXiv 1506.04214) without peepholes.

    Each of the four gates is normalised over channels and pixels of its frame (group
    normalisation, Wu & He 2018): features after a ReLU are all positive, and without it a memory's
    high learning rate shuts every gate within a few steps, for good.
    """

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.hidden_channels = hidden_channels
        self.from_input = nn.Conv2d(in_channels, 4 * hidden_channels, 3, padding=1, bias=False)
        self.from_hidden = nn.Conv2d(hidden_channels, 4 * hidden_channels, 3, padding=1, bias=False)
        self.normalization = nn.GroupNorm(4, 4 * hidden_channels)
        with torch.no_grad():  # begin by remembering: Jozefowicz et al. 2015
            self.normalization.bias[hidden_channels : 2 * hidden_channels].fill_(1.0)

    @property
    def state_channels(self) -> tuple[int, ...]:
        """Of the hidden and the cell state."""
        return (self.hidden_channels, self.hidden_channels)

    def prepare(self, x_NCHW: Tensor) -> Tensor:
        """Return the input's part of the gates, N 4C_h HW."""
        gates: Tensor = self.from_input(x_NCHW)
        return gates

    def forward(self, x_BCHW: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the hidden state, and both states."""
        hidden, cell = state
        gates = self.normalization(x_BCHW + self.from_hidden(hidden))
        enter, keep, leave, candidate = gates.chunk(4, dim=1)
        cell = torch.sigmoid(keep) * cell + torch.sigmoid(enter) * torch.tanh(candidate)
        hidden = torch.sigmoid(leave) * torch.tanh(cell)
        return hidden, (hidden, cell)


class ExtraConvolutions(MemoryCell):
    """Two 3x3 convolutions with about as many parameters as a memory cell, and no state.

    The control for what a memory gains by being more network rather than memory. For a ConvLSTM
    the wide layer has as many channels as its four gates together, and the same normalisation, so
    the number of parameters is exactly the same.
    """

    def __init__(self, in_channels: int, hidden_channels: int, parameters: int) -> None:
        super().__init__()
        per_wide_channel = 9 * (in_channels + hidden_channels) + 2
        wide = 4 * max(1, round(parameters / per_wide_channel / 4))
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, wide, 3, padding=1, bias=False),
            nn.GroupNorm(4, wide),
            nn.ReLU(inplace=True),
            nn.Conv2d(wide, hidden_channels, 3, padding=1, bias=False),
            nn.Tanh(),  # bounded, as a ConvLSTM's hidden state is
        )

    @property
    def state_channels(self) -> tuple[int, ...]:
        """None."""
        return ()

    def prepare(self, x_NCHW: Tensor) -> Tensor:
        """Return the output of the convolutions for every frame."""
        y: Tensor = self.layers(x_NCHW)
        return y

    def forward(self, x_BCHW: Tensor, state: State) -> tuple[Tensor, State]:
        """Return both as they are."""
        return x_BCHW, state


class ConvGRU(MemoryCell):
    """The 3x3 ConvGRU of Ballas et al. 2016 (arXiv 1511.06432): three quarters of the weights.

    Gates are normalised as a :class:`ConvLSTM`'s are.
    """

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.hidden_channels = hidden_channels
        self.from_input = nn.Conv2d(in_channels, 3 * hidden_channels, 3, padding=1, bias=False)
        self.gates_from_hidden = nn.Conv2d(
            hidden_channels, 2 * hidden_channels, 3, padding=1, bias=False
        )
        self.candidate_from_hidden = nn.Conv2d(
            hidden_channels, hidden_channels, 3, padding=1, bias=False
        )
        self.gate_normalization = nn.GroupNorm(2, 2 * hidden_channels)
        self.candidate_normalization = nn.GroupNorm(1, hidden_channels)
        with torch.no_grad():  # begin by remembering
            self.gate_normalization.bias[:hidden_channels].fill_(-1.0)

    @property
    def state_channels(self) -> tuple[int, ...]:
        """Of the hidden state."""
        return (self.hidden_channels,)

    def prepare(self, x_NCHW: Tensor) -> Tensor:
        """Return the input's part of the gates and the candidate, N 3C_h HW."""
        parts: Tensor = self.from_input(x_NCHW)
        return parts

    def forward(self, x_BCHW: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the hidden state twice."""
        (hidden,) = state
        of_gates, of_candidate = x_BCHW.tensor_split([2 * self.hidden_channels], dim=1)
        gates = self.gate_normalization(of_gates + self.gates_from_hidden(hidden))
        update, reset = torch.sigmoid(gates).chunk(2, dim=1)
        candidate = torch.tanh(
            self.candidate_normalization(of_candidate + self.candidate_from_hidden(reset * hidden))
        )
        hidden = hidden + update * (candidate - hidden)
        return hidden, (hidden,)


class ConvMinGRU(MemoryCell):
    """The minimal GRU of Feng et al. 2024 (arXiv 2410.01201) with 3x3 convolutions.

    Gate and candidate see the input alone, so all frames of a clip are convolved at once, and the
    state is a running average whose rate is learned. A third of a ConvGRU's weights.
    """

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.hidden_channels = hidden_channels
        self.from_input = nn.Conv2d(in_channels, 2 * hidden_channels, 3, padding=1, bias=False)
        self.normalization = nn.GroupNorm(2, 2 * hidden_channels)
        with torch.no_grad():  # begin by remembering
            self.normalization.bias[:hidden_channels].fill_(-1.0)

    @property
    def state_channels(self) -> tuple[int, ...]:
        """Of the hidden state."""
        return (self.hidden_channels,)

    def prepare(self, x_NCHW: Tensor) -> Tensor:
        """Return the gate and the candidate, N 2C_h HW."""
        update, candidate = self.normalization(self.from_input(x_NCHW)).chunk(2, dim=1)
        return torch.cat((torch.sigmoid(update), torch.tanh(candidate)), dim=1)

    def forward(self, x_BCHW: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the hidden state twice."""
        update, candidate = x_BCHW.chunk(2, dim=1)
        (hidden,) = state
        hidden = hidden + update * (candidate - hidden)
        return hidden, (hidden,)


#: Every memory cell by the name that ``model.memory`` gives it.
CELLS: dict[str, type[MemoryCell]] = {
    "convlstm": ConvLSTM,
    "convgru": ConvGRU,
    "convmingru": ConvMinGRU,
}


class ResidualMemory(nn.Module):
    """Features plus what a cell adds to them.

    The 1x1 output projection starts at zero: at first exactly nothing is added, so a network with
    this memory equals the network without it until the first training step.

    Args:
        cell: sees ``cell_channels`` of the features.
        cell_channels: how many of the features, the last ones, it sees and adds to: all of them,
            or half (Robust Video Matting, Lin et al. 2022).
        hidden_channels: what it gives.
    """

    def __init__(self, cell: MemoryCell, cell_channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.cell = cell
        self.cell_channels = cell_channels
        self.projection = nn.Conv2d(hidden_channels, cell_channels, 1)
        nn.init.zeros_(self.projection.weight)
        assert self.projection.bias is not None
        nn.init.zeros_(self.projection.bias)

    def forward(
        self, x_NCHW: Tensor, state: State, frames: int, motion_N3hw: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Run over clips of ``frames`` frames that follow one another along the first axis.

        Args:
            x_NCHW: features, N = B x T.
            state: of the cell, before each clip.
            frames: T.
            motion_N3hw: with it the state moves along with the tissue before every step, and where
                a frame is not trusted it only moves; see :mod:`sonotempo.models.alignment`.

        Returns:
            Features of the same shape and the state after each clip's last frame.
        """
        untouched = x_NCHW.shape[1] - self.cell_channels
        x = x_NCHW[:, untouched:] if untouched else x_NCHW
        steps = _time_steps(self.cell.prepare(x), frames)
        motions: Sequence[Tensor | None] = [None] * len(steps)
        if motion_N3hw is not None:
            motions = _time_steps(motion_at(motion_N3hw, x.shape[-1]), frames)
        hidden = []
        for frame_BCHW, motion_B3HW in zip(steps, motions, strict=True):
            if motion_B3HW is None:
                hidden_BCHW, state = self.cell(frame_BCHW, state)
            else:
                moved = aligned(state, motion_B3HW)
                hidden_BCHW, new = self.cell(frame_BCHW, moved)
                state = trusted(new, moved, motion_B3HW)
            hidden.append(hidden_BCHW)
        x = x + self.projection(_as_clips(hidden))
        return (torch.cat((x_NCHW[:, :untouched], x), dim=1) if untouched else x), state


def _time_steps(x_NCHW: Tensor, frames: int) -> Sequence[Tensor]:
    """Return the first frames BCHW of all clips, then the second ones, and so on."""
    if frames == 1:
        return (x_NCHW,)
    return x_NCHW.reshape(-1, frames, *x_NCHW.shape[1:]).unbind(1)


def _as_clips(steps_BCHW: Sequence[Tensor]) -> Tensor:
    """Undo :func:`_time_steps`."""
    if len(steps_BCHW) == 1:
        return steps_BCHW[0]
    return torch.stack(tuple(steps_BCHW), dim=1).flatten(0, 1)
