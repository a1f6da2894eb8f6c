"""Where the frames of a video file are, from its packets: nothing is decoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import RecordingError
from sonotempo.guard import guarded
from sonotempo.io.limits import limits
from sonotempo.io.timing import NOMINAL_FRAME_RATE_HZ

# How far the packets may end before the announced duration, because of rounding and a last frame
# without a duration. A file that ends earlier is cut short.
_TOLERATED_FRAMES = 2.5
_TOLERATED_SHARE = 0.02

_NS = 1_000_000_000

# The containers of the suffixes in formats.py and of DICOM's streams. libav knows others whose
# files only name further files and addresses, and it looks at the content, not at the suffix.
_CONTAINERS = "asf,avi,h264,hevc,m4v,matroska,mov,mpeg,mpegts,mpegvideo"


@dataclass(frozen=True, slots=True, eq=False)
class VideoIndex:
    """The frames of a video.

    Attributes:
        times: int64, presentation times of the stored frames in units of ``time_base`` seconds; of
            a counted file 0, 1, 2…
        keys: int64, those at which decoding can start. They may lie before the first frame: a file
            that was trimmed without encoding it again keeps the key frame, hidden.
        time_base: in seconds.
        counted: whether frames are found by counting from the start: the file has no presentation
            times (AVI with reordered frames), lacks some, or has the same one twice.
        shown: int64, for every frame of the recording the stored frame that it shows; AVI repeats a
            frame by storing nothing.
        stamps_ns: one per frame of the recording; None where the file has none.
        pixel_aspect: height of a stored pixel divided by its width.
    """

    times: NDArray[np.int64]
    keys: NDArray[np.int64]
    time_base: Fraction
    counted: bool
    shown: NDArray[np.int64]
    stamps_ns: tuple[int | None, ...]
    pixel_aspect: float

    def __len__(self) -> int:
        return len(self.shown)


@dataclass(frozen=True, slots=True)
class _Packet:
    time: int | None


def index_video(source: Path, path: Path) -> VideoIndex:
    """Scan the packets of a video.

    Args:
        source: the file to read.
        path: what messages call it.

    Raises:
        RecordingError: not a video, no frames, or cut short.
    """
    with (
        guarded(
            f"{path} cannot be read as a video",
            "it may be cut short: copy or export it again",
            RecordingError,
        ),
        open_container(source) as container,
    ):
        if not container.streams.video:
            raise RecordingError(f"{path} holds no video stream; choose a video file")
        return _index(container, path)


def open_container(source: Path) -> Any:
    """Open a video file; nothing but this file is read, and no frame exceeds the limit."""
    # Not ``options``, which are for streams too: up to PyAV 17, MPEG files, whose streams are found
    # later, end the process with them.
    allowed = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    container = av.open(str(source), container_options=allowed)
    for stream in container.streams.video:
        stream.codec_context.options = {"max_pixels": str(limits().frame_pixels)}
    return container


def main_stream(container: Any) -> Any:
    """Return the video stream that is not a cover picture."""
    streams = container.streams.video
    return next((s for s in streams if not _is_picture(s)), streams[0])


def _is_picture(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _index(container: Any, path: Path) -> VideoIndex:
    stream = main_stream(container)
    budget = limits()
    budget.check_frame(path, stream.codec_context.height or 0, stream.codec_context.width or 0)
    packets: list[_Packet] = []
    keys: list[int] = []
    begin, end = stream.start_time or 0, 0
    for packet in container.demux(stream):
        time = packet.dts if packet.pts is None else packet.pts
        if not packet.size:
            continue
        if time is not None:
            begin, end = min(begin, time), max(end, time + (packet.duration or 0))
            if packet.is_keyframe:
                keys.append(time)
        if not packet.is_discard:  # else outside the part shown by an edit list
            packets.append(_Packet(time))
            budget.check_frames(path, len(packets))
    packets = _decodable(packets, keys)
    if not packets:
        raise RecordingError(f"{path} holds no frames; it is cut short: copy or export it again")
    is_avi = container.format.name == "avi"
    _check_whole(container, stream, packets, (begin, end), path)
    stored = [packet.time for packet in packets if packet.time is not None]
    in_order = all(a < b for a, b in pairwise(stored))
    # Packets in order although frames are reordered: these are decoding times.
    hides_times = is_avi and in_order and bool(stream.codec_context.has_b_frames)
    # A palette may change from packet to packet, and only reading from the start follows it.
    counted = (
        hides_times or len(set(stored)) < len(packets) or stream.codec_context.pix_fmt == "pal8"
    )
    if is_avi and in_order and stored:
        budget.check_frames(path, stored[-1] - stored[0] + 1)
    shown, times = _shown(stored, repeats=is_avi and in_order and len(stored) == len(packets))
    count = len(packets)
    return VideoIndex(
        times=np.arange(count) if counted else np.array(sorted(stored), np.int64),
        keys=np.unique(np.array(keys or stored[:1], np.int64)),
        time_base=stream.time_base,
        counted=counted,
        shown=shown if shown is not None else np.arange(count),
        stamps_ns=_stamps_ns(times if times is not None else _ordered(packets), stream.time_base),
        pixel_aspect=_aspect(stream),
    )


def _decodable(packets: list[_Packet], keys: Sequence[int]) -> list[_Packet]:
    """Leave out frames before the first key frame, whose references a cut has removed."""
    if not keys or (packets and packets[0].time is None):
        return packets  # without times at the start, nothing tells which they are
    return [packet for packet in packets if packet.time is not None and packet.time >= keys[0]]


def _shown(
    stored: Sequence[int], *, repeats: bool
) -> tuple[NDArray[np.int64] | None, list[int] | None]:
    """Fill the gaps between the frame numbers of AVI: nothing stored means the frame before."""
    if not repeats or stored[-1] - stored[0] + 1 == len(stored):
        return None, None
    numbers = np.arange(stored[0], stored[-1] + 1)
    return np.searchsorted(np.array(stored), numbers, side="right") - 1, numbers.tolist()


def _ordered(packets: Sequence[_Packet]) -> list[int | None]:
    """Return the times in the order of presentation; packets without one keep their place."""
    known = iter(sorted(packet.time for packet in packets if packet.time is not None))
    return [None if packet.time is None else next(known) for packet in packets]


def _stamps_ns(times: Sequence[int | None], time_base: Fraction) -> tuple[int | None, ...]:
    return tuple(None if time is None else round(time * time_base * _NS) for time in times)


def _aspect(stream: Any) -> float:
    ratio = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return float(1 / ratio) if ratio else 1.0


def _check_whole(
    container: Any,
    stream: Any,
    packets: Sequence[_Packet],
    reach: tuple[int, int],
    path: Path,
) -> None:
    """Refuse a file whose packets end well before the announced duration."""
    rate_hz = float(stream.average_rate or 0) or NOMINAL_FRAME_RATE_HZ
    begin, end = reach
    if container.format.name == "avi":
        announced = float(stream.frames)
        last = packets[-1].time
        reached = float(len(packets) if last is None else max(len(packets), last + 1))
    elif stream.duration:
        announced = float(stream.duration * stream.time_base) * rate_hz
        reached = float((end - begin) * stream.time_base) * rate_hz
    else:
        # Of the whole file, and counted from 0, wherever the first frame stands.
        is_alone = len(container.streams) == 1 and container.duration
        announced = container.duration / av.time_base * rate_hz if is_alone else 0.0
        reached = float(end * stream.time_base) * rate_hz
    if announced - reached > max(_TOLERATED_FRAMES, _TOLERATED_SHARE * announced):
        raise RecordingError(
            f"{path} is cut short: it ends after frame {len(packets)} of about "
            f"{round(announced)}; copy it again, or keep the readable part with 'ffmpeg -i … -c "
            "copy'"
        )
