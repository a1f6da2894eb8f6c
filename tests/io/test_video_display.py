"""Videos as players show them: turned, trimmed, with repeated frames and odd clocks."""

import random
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from fakes.files import noise, step_of, steps, write_video
from sonotempo.io.formats import Request
from sonotempo.io.video import open_video

COUNT = 40


def opened(path):
    return open_video(Request(path))


def same_in_any_order(path):
    """The frames in order, after a check that no other order changes them."""
    in_order = [frame.image_HW for frame in opened(path)]
    recording = opened(path)
    for indices in (
        list(reversed(range(len(in_order)))),
        random.Random(0).sample(range(len(in_order)), len(in_order)),
    ):
        for i in indices:
            np.testing.assert_array_equal(recording[i].image_HW, in_order[i])
    return in_order


def with_matrix(path, matrix):
    """Write the first four entries (a, b, c, d) of the display matrix into an MP4's track."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (value * 65536 for value in matrix)
    struct.pack_into(">9i", content, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((1, 0, 0, 1), lambda a: a),
        ((0, 1, -1, 0), lambda a: np.rot90(a, -1)),  # a quarter turn clockwise
        ((-1, 0, 0, -1), lambda a: np.rot90(a, 2)),
        ((0, -1, 1, 0), np.rot90),
        ((-1, 0, 0, 1), lambda a: a[:, ::-1]),
        ((1, 0, 0, -1), lambda a: a[::-1]),
        ((0, 1, 1, 0), lambda a: a.T),
    ],
)
def test_frames_are_turned_and_flipped(tmp_path, matrix, turn):
    path = write_video(tmp_path / "a.mp4", steps(5), "libx264")
    plain = [frame.image_HW for frame in opened(path)]
    with_matrix(path, matrix)
    for frame, before in zip(same_in_any_order(path), plain, strict=True):
        np.testing.assert_array_equal(frame, turn(before))
    with av.open(str(path)) as container:  # PyAV's angle is counter-clockwise
        angle = next(container.decode(video=0)).rotation
    if round(abs(matrix[0] * matrix[3] - matrix[1] * matrix[2]) + matrix[0] - matrix[3]) == 1:
        is_flipped = matrix[0] * matrix[3] - matrix[1] * matrix[2] < 0
        assert is_flipped or np.array_equal(turn(plain[0]), np.rot90(plain[0], angle // 90))


@pytest.mark.parametrize("turned", [False, True])
def test_the_aspect_of_pixels_is_known_as_shown(tmp_path, turned):
    path = write_video(tmp_path / "a.mp4", steps(5), "libx264", aspect=Fraction(16, 15))
    if turned:
        with_matrix(path, (0, 1, -1, 0))
    recording = opened(path)
    assert recording.pixel_aspect == pytest.approx(16 / 15 if turned else 15 / 16)
    assert recording[0].pixel_aspect == recording.pixel_aspect


@pytest.mark.parametrize("first", range(1, 30, 4))
def test_a_video_trimmed_by_its_edit_list_keeps_the_frames_that_it_shows(tmp_path, first):
    path = write_video(tmp_path / "a.mp4", steps(COUNT), "libx264", reordered=True)
    content = bytearray(path.read_bytes())
    at = content.index(b"elst") + 4
    version, _, entries = content[at], content[at + 1], struct.unpack_from(">I", content, at + 4)[0]
    assert (version, entries) == (0, 1)
    duration, media_time = struct.unpack_from(">Ii", content, at + 8)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        period = round(1 / (20 * stream.time_base))
        scale = duration / (COUNT * period * stream.time_base)
    cut_from = media_time + first * period
    left = round((COUNT - first) * period * float(stream.time_base) * scale)
    struct.pack_into(">Ii", content, at + 8, left, cut_from)
    path.write_bytes(content)
    frames = same_in_any_order(path)
    assert [step_of(frame) for frame in frames] == list(range(first, COUNT))


def test_decoding_starts_again_where_a_key_frame_is_none(tmp_path):
    path = write_video(
        tmp_path / "a.mp4",
        steps(COUNT),
        "libx264",
        coding={"x264-params": "intra-refresh=1:keyint=10"},
    )
    assert [step_of(frame) for frame in same_in_any_order(path)] == list(range(COUNT))


def emptied(path, every):
    """Empty every n-th chunk of an MJPEG AVI: a grabber's sign for "as before"."""
    source = path.read_bytes()
    movi = source.index(b"movi")
    end = movi + struct.unpack("<I", source[movi - 4 : movi])[0]
    out, index, at, number = bytearray(), [], movi + 4, 0
    while at + 8 <= end:
        kind, size = source[at : at + 4], struct.unpack_from("<I", source, at + 4)[0]
        if kind == b"00dc":
            number += 1
            data = b"" if number % every == 0 else source[at + 8 : at + 8 + size]
            index.append((4 + len(out), len(data)))
            out += b"00dc" + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
        at += 8 + size + size % 2
    body = b"LIST" + struct.pack("<I", 4 + len(out)) + b"movi" + bytes(out)
    body += b"idx1" + struct.pack("<I", 16 * len(index))
    body += b"".join(b"00dc" + struct.pack("<III", 0x10, *place) for place in index)
    whole = bytearray(source[: movi - 8] + body)
    struct.pack_into("<I", whole, 4, len(whole) - 8)
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize("every", [2, 3, 20])
def test_an_empty_chunk_of_an_avi_repeats_the_frame_before(tmp_path, every):
    path = emptied(write_video(tmp_path / "a.avi", steps(COUNT), "mjpeg"), every)
    expected = [i - 1 if (i + 1) % every == 0 else i for i in range(COUNT)]
    # What repeats the last stored frame at the very end shows nothing new.
    expected = expected[: COUNT - (COUNT % every == 0)]
    assert [step_of(frame) for frame in same_in_any_order(path)] == expected
    assert (opened(path).timestamps_ns / 1e6).tolist() == [50.0 * i for i in range(len(expected))]


def test_a_palette_that_changes_is_followed(tmp_path):
    path = tmp_path / "a.avi"
    frames = noise(6, 16, 16, high=4)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=20)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "pal8"
        for i, frame in enumerate(frames):
            picture = av.VideoFrame(16, 16, "pal8")
            picture.planes[0].update(frame.tobytes())
            palette = np.zeros((256, 4), np.uint8)
            palette[:, :3] = (np.arange(256) * (10 + 8 * i) % 256)[:, None]
            palette[:, 3] = 255
            picture.planes[1].update(palette.tobytes())
            picture.pts = i
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    for i, found in enumerate(same_in_any_order(path)):
        expected = frames[i].astype(int) * (10 + 8 * i) % 256
        assert np.abs(found - expected).max() <= 1


def test_frames_with_the_same_time_are_all_there(tmp_path):
    # Matroska counts milliseconds: at 2000 Hz two frames share each.
    path = write_video(tmp_path / "a.mkv", steps(COUNT), "libx264", rate=2000)
    assert [step_of(frame) for frame in same_in_any_order(path)] == list(range(COUNT))
    assert np.all(np.diff(opened(path).timestamps_ns) > 0)


def test_a_matroska_that_starts_late_is_whole(tmp_path):
    path = tmp_path / "a.mkv"
    plain = write_video(tmp_path / "plain.mp4", steps(COUNT), "libx264")
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is None:
                continue
            late = round(5 / packet.time_base)
            packet.pts, packet.dts, packet.stream = packet.pts + late, packet.dts + late, stream
            target.mux(packet)
    assert len(opened(path)) == COUNT


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mpg", "mpeg1video"), (".ts", "mpeg2video"), (".wmv", "wmv2")]
)
def test_older_containers_open(tmp_path, suffix, codec):
    path = write_video(tmp_path / f"a{suffix}", steps(COUNT), codec, rate=25)
    assert [step_of(frame) for frame in same_in_any_order(path)] == list(range(COUNT))
