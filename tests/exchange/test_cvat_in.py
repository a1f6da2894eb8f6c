"""CVAT for video: interpolated tracks, and files that cannot be used."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.exchange import import_from
from fakes.files import noise, steps, write_png, write_video
from sonotempo.errors import RecordingError
from sonotempo.exchange.incoming import ImportRequest
from sonotempo.exchange.sources import read
from sonotempo.structures import NERVE_VESSEL

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
SIZE = "<original_size><width>10</width><height>8</height></original_size>"


def polygon(frame, points, *, outside=0, keyframe=1, z=0):
    return (
        f'<polygon frame="{frame}" keyframe="{keyframe}" outside="{outside}" occluded="1" '
        f'points="{points}" z_order="{z}"></polygon>'
    )


def square(left, top, side=3):
    right, bottom = left + side, top + side
    return f"{left}.00,{top}.00;{right},{top};{right},{bottom};{left},{bottom}"


def mask(frame, rle="0, 4", box=(1, 2, 2, 2), **more):
    left, top, width, height = box
    outside = more.get("outside", 0)
    return (
        f'<mask frame="{frame}" keyframe="1" outside="{outside}" occluded="0" rle="{rle}" '
        f'left="{left}" top="{top}" width="{width}" height="{height}" z_order="0"></mask>'
    )


def track(*shapes, label="nerve"):
    return f'<track id="0" label="{label}" source="manual">{"".join(shapes)}</track>'


def task(folder, *tracks, size=5, name="anna/arm", more=SIZE, kind="task"):
    """A task with its images, five frames of 8x10 pixels."""
    for i in range(5):
        write_png(folder / "images" / f"frame_{i:06d}.png", noise(8, 10, seed=i))
    path = folder / "annotations.xml"
    path.write_text(
        f"{HEAD}<annotations><version>1.1</version><meta><{kind}><name>{name}</name>"
        f"<size>{size}</size><mode>interpolation</mode>{more}</{kind}></meta>"
        f"{''.join(tracks)}</annotations>",
        encoding="utf-8",
    )
    return path


def taken(path, tmp_path, **options):
    return import_from("cvat", path, tmp_path / "back", **options)


def columns(recording):
    """The columns that are labelled in each frame; None where it is unlabelled."""
    masks = [recording.mask(i) for i in range(len(recording))]
    return [None if m is None else np.flatnonzero(m.any(0)).tolist() for m in masks]


def test_polygons_are_interpolated_between_keyframes_and_held_after_the_last(tmp_path):
    path = task(tmp_path, track(polygon(0, square(0, 1)), polygon(2, square(4, 1))))
    found = taken(path, tmp_path)["anna/arm"]
    middle = [2, 3, 4]
    assert columns(found) == [[0, 1, 2], middle, [4, 5, 6], [4, 5, 6], [4, 5, 6]]


def test_what_cvat_wrote_out_between_keyframes_is_taken_as_it_is(tmp_path):
    between = polygon(1, square(7, 1), keyframe=0)
    path = task(tmp_path, track(polygon(0, square(0, 1)), between, polygon(2, square(4, 1))))
    assert columns(taken(path, tmp_path)["anna/arm"])[1] == [7, 8, 9]


def test_polygons_with_other_numbers_of_corners_are_held(tmp_path):
    triangle = "4,1;7,1;7,4"
    path = task(tmp_path, track(polygon(0, square(0, 1)), polygon(3, triangle)))
    assert columns(taken(path, tmp_path)["anna/arm"])[1:3] == [[0, 1, 2]] * 2


def test_masks_are_held_until_they_end(tmp_path):
    path = task(tmp_path, track(mask(1), mask(3, outside=1)))
    assert columns(taken(path, tmp_path)["anna/arm"]) == [None, [1, 2], [1, 2], None, None]


def test_out_of_view_and_back(tmp_path):
    shapes = polygon(0, square(0, 1)), polygon(1, square(0, 1), outside=1), polygon(3, square(5, 1))
    path = task(tmp_path, track(*shapes))
    assert columns(taken(path, tmp_path)["anna/arm"]) == [
        [0, 1, 2], None, None, [5, 6, 7], [5, 6, 7],
    ]  # fmt: skip


def test_frames_without_a_shape_may_be_said_to_be_empty(tmp_path):
    path = task(tmp_path, track(mask(1), mask(2, outside=1)))
    found = taken(path, tmp_path, empty_frames=True)["anna/arm"]
    assert columns(found) == [[], [1, 2], [], [], []]


def test_higher_shapes_cover_lower_ones(tmp_path):
    vessel = track(polygon(0, square(0, 1), z=1), label="VESSEL")
    path = task(tmp_path, vessel, track(polygon(0, square(0, 1), z=0)))
    assert taken(path, tmp_path)["anna/arm"].mask(0).max() == 2


def test_a_task_of_every_other_frame(tmp_path):
    more = f"{SIZE}<start_frame>1</start_frame><frame_filter>step=2</frame_filter>"
    path = task(tmp_path, track(polygon(1, square(0, 1))), size=2, more=more)
    found = taken(path, tmp_path)["anna/arm"]
    assert columns(found) == [None, [0, 1, 2], None, [0, 1, 2], None]


def test_a_video_gives_frames_and_times(tmp_path):
    video = write_video(tmp_path / "arm.mp4", steps(6))
    path = task(tmp_path / "xml", track(polygon(0, square(0, 1))), size=6, more="", name="arm")
    with pytest.raises(RecordingError, match=r"does not say who its video shows.*'arm'"):
        taken(path, tmp_path, frames=video)
    found = taken(path, tmp_path, frames=video, subject="anna")["anna/arm"]
    assert found.labelled == tuple(range(6))
    assert found.frame_rate_hz == pytest.approx(20)
    assert not found.rate_is_assumed


def test_a_folder_of_tasks_and_a_folder_of_videos(tmp_path):
    for subject in ("anna", "ben"):
        path = task(
            tmp_path / "xml" / subject / "arm", track(polygon(0, square(0, 1))), size=6, more=""
        )
        for image in (path.parent / "images").iterdir():
            image.unlink()
        (path.parent / "images").rmdir()
        write_video(tmp_path / "videos" / subject / "arm.mp4", steps(6))
    found = taken(tmp_path / "xml", tmp_path, frames=tmp_path / "videos")
    assert set(found) == {"anna/arm", "ben/arm"}
    (tmp_path / "videos" / "ben" / "arm.mp4").unlink()
    with pytest.raises(RecordingError, match=r"0 recordings called ben/arm in .*videos"):
        read("cvat", ImportRequest(tmp_path / "xml", NERVE_VESSEL, frames=tmp_path / "videos"))


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 9)).replace("&a0;", "&a;")
    + "]><annotations>&a8;</annotations>"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as XML of CVAT"),
        ("<annotations>", "cannot be read as XML of CVAT"),
        (BOMB, "it defines entities, which CVAT never does"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotations/>', "it defines entities"),
        ("<html/>", "does not describe a task of CVAT"),
        ("<annotations/>", "does not describe a task of CVAT"),
        (
            "<annotations><meta><task><size>1</size></task></meta><image/></annotations>",
            "is CVAT for images, which holds no tracks",
        ),
        (
            "<annotations><meta><task><size>many</size></task></meta></annotations>",
            "holds what CVAT does not write",
        ),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path, text, message):
    path = task(tmp_path)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecordingError, match=rf"annotations\.xml .*{message}"):
        taken(path, tmp_path)


@given(st.binary(max_size=60))
@settings(max_examples=60, deadline=None)
def test_garbage_is_a_sentence(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "garbage.xml"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"garbage\.xml"):
        read("cvat", ImportRequest(path, NERVE_VESSEL))


BOX = '<box frame="0" keyframe="1" outside="0" occluded="0" xtl="1" ytl="1" xbr="4" ybr="4"/>'


@pytest.mark.parametrize(
    ("tracks", "more", "message"),
    [
        ([track(BOX)], {}, "1 shapes of the kind 'box', which are no masks"),
        ([track(mask(0), label="bone")], {}, "no structures: bone; expected nerve, vessel"),
        ([track(mask(0, rle="0, 5"))], {}, "frame 0, .*cover 5 pixels; expected 4"),
        ([track(mask(0, rle="a"))], {}, "holds what CVAT does not write"),
        ([track(mask(0, box=(9, 2, 2, 2)))], {}, "reaches beyond the image of 8x10 pixels"),
        ([track(polygon(0, "1,1;2,2"))], {}, "a polygon of 4 numbers"),
        ([track(polygon(0, "1;2;3"))], {}, "holds what CVAT does not write"),
        ([track(mask(7))], {}, "holds shapes in frame 7, but .* has 5 frames"),
        ([track(mask(0))], {"size": 6}, "has 6 frames but .*images has 5"),
        (
            [track(mask(0))],
            {"size": 4, "more": "<frame_filter>step=2</frame_filter>"},
            "has 4 frames up to number 6 but .*images has 5",
        ),
        (
            [track(mask(0))],
            {"more": SIZE.replace("8", "9")},
            "was drawn on 9x10 pixels but .*images has 8x10",
        ),
        ([], {}, "none of the 5 frames has a mask"),
    ],
)
def test_annotations_that_cannot_be_used_are_named(tmp_path, tracks, more, message):
    path = task(tmp_path, *tracks, **more)
    with pytest.raises(RecordingError, match=message):
        taken(path, tmp_path)
    assert not (tmp_path / "back").exists()


def test_without_images(tmp_path):
    path = task(tmp_path, track(mask(0))).rename(tmp_path / "images" / "alone.xml")
    with pytest.raises(RecordingError, match=r"no folder 'images' next to it; .*--frames"):
        taken(path, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordingError, match=r"holds no \.xml file"):
        taken(tmp_path / "empty", tmp_path)
