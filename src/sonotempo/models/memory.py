"""ConvLSTM memory, and convolutions in its place, with a residual output that starts at zero.

The cell is that of Shi et al. 2015 (arXiv 1506.04214) without peepholes. Its state is an argument
and a result, never kept in the module.
"""

import torch
from einops import rearrange
from torch import Tensor, nn

CellState = tuple[Tensor, ...]


class ConvLSTM(nn.Module):
    """A 3x3 ConvLSTM cell run over a clip: C channels in, C_h hidden channels out.

    The input's part of the gates is one convolution over all frames at once; only the hidden
    state's part is stepped. Each of the four gates is normalised over channels and pixels of its
    frame (group normalisation, Wu & He 2018): features after a ReLU are all positive, and without
    it a memory's high learning rate shuts every gate within a few steps, for good.
    """

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.hidden_channels = hidden_channels
        self.from_input = nn.Conv2d(in_channels, 4 * hidden_channels, 3, padding=1, bias=False)
        self.from_hidden = nn.Conv2d(hidden_channels, 4 * hidden_channels, 3, padding=1, bias=False)
        self.normalization = nn.GroupNorm(4, 4 * hidden_channels)
        with torch.no_grad():  # begin by remembering: Jozefowicz et al. 2015
            self.normalization.bias[hidden_channels : 2 * hidden_channels].fill_(1.0)

    def forward(self, x_BTCHW: Tensor, state: CellState) -> tuple[Tensor, CellState]:
        """Return the hidden states BTCHW of all frames and the state after the last one."""
        batch = len(x_BTCHW)
        gates = self.from_input(rearrange(x_BTCHW, "b t c h w -> (b t) c h w"))
        gates_BTCHW = rearrange(gates, "(b t) c h w -> b t c h w", b=batch)
        hidden, cell = state
        outputs = []
        for gates_from_input in gates_BTCHW.unbind(1):
            gates = self.normalization(gates_from_input + self.from_hidden(hidden))
            enter, keep, leave, candidate = gates.chunk(4, dim=1)
            cell = torch.sigmoid(keep) * cell + torch.sigmoid(enter) * torch.tanh(candidate)
            hidden = torch.sigmoid(leave) * torch.tanh(cell)
            outputs.append(hidden)
        return torch.stack(outputs, dim=1), (hidden, cell)


class ExtraConvolutions(nn.Module):
    """Two 3x3 convolutions with exactly as many parameters as a ConvLSTM, and no state.

    The control for what a memory gains by being more network rather than memory. The wide layer
    has as many channels as the four gates together, and the gates' normalisation.
    """

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__()
        wide = 4 * hidden_channels
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, wide, 3, padding=1, bias=False),
            nn.GroupNorm(4, wide),
            nn.ReLU(inplace=True),
            nn.Conv2d(wide, hidden_channels, 3, padding=1, bias=False),
            # Bounded, as a ConvLSTM's hidden state is.
            nn.Tanh(),
        )

    def forward(self, x_BTCHW: Tensor, state: CellState) -> tuple[Tensor, CellState]:
        """Return features BTCHW of every frame by itself, and the state as it came: empty."""
        batch = len(x_BTCHW)
        y = self.layers(rearrange(x_BTCHW, "b t c h w -> (b t) c h w"))
        return rearrange(y, "(b t) c h w -> b t c h w", b=batch), state


class ResidualMemory(nn.Module):
    """Features plus what a ConvLSTM, or the convolutions in its place, add to them.

    The 1x1 output projection starts at zero: at first exactly nothing is added, so a network with
    this memory equals the network without it until the first training step.
    """

    def __init__(self, channels: int, hidden_channels: int, *, remembers: bool = True) -> None:
        super().__init__()
        self.state_channels = (hidden_channels, hidden_channels) if remembers else ()
        cell = ConvLSTM if remembers else ExtraConvolutions
        self.cell = cell(channels, hidden_channels)
        self.projection = nn.Conv2d(hidden_channels, channels, 1)
        nn.init.zeros_(self.projection.weight)
        assert self.projection.bias is not None
        nn.init.zeros_(self.projection.bias)

    def forward(self, x_BTCHW: Tensor, state: CellState) -> tuple[Tensor, CellState]:
        """Return features of the same shape and the state after the last frame."""
        hidden_BTCHW, state = self.cell(x_BTCHW, state)
        added = self.projection(rearrange(hidden_BTCHW, "b t c h w -> (b t) c h w"))
        return x_BTCHW + rearrange(added, "(b t) c h w -> b t c h w", b=len(x_BTCHW)), state
