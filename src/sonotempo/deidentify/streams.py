"""A recorded stream without identity: cropped frames and masks, known numbers, no messages."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sonotempo.deidentify.area import GivenArea
from sonotempo.deidentify.recordings import MasksCropped, kept_pixels
from sonotempo.deidentify.refused import RefusedError
from sonotempo.io.stream_files import lines_path
from sonotempo.io.stream_recording import StreamRecording, open_predictions, recorded_structures
from sonotempo.live.buffer.ring_buffer import StreamedFrame
from sonotempo.live.recording.files import open_stream_files
from sonotempo.recording import Box, Prediction


def write_stream(
    recording: StreamRecording, target: Path, found: Box | None, given: GivenArea | None
) -> MasksCropped:
    """Write a stream again: numbers, times from its start, spacing, labels and kinds of events.

    The area may change with the size of the frames. A frame takes the area that the user gives,
    else its own, else that of other frames of its size, else ``found``.

    Args:
        recording: the stream.
        target: the new first file, in a folder without others.
        found: the area that was found by what changes, where the stream names none.
        given: the user's area.

    Raises:
        RefusedError: a frame has no area.
        RecordingError: a frame or mask cannot be read.
        OSError, SourceError: the disk refuses.
    """
    assert recording.host_ns is not None
    assert recording.probe_ns is not None
    host_ns, probe_ns = int(recording.host_ns[0]), int(recording.probe_ns[0])
    predictions = open_predictions(recording.source)
    structures = recorded_structures(recording.source)
    ages = _state_ages(recording.source)
    masks = MasksCropped()
    files = open_stream_files(target)
    try:
        if structures is not None:
            files.write_structures(structures)
        for index, box in enumerate(_boxes(recording, found, given)):
            frame = recording[index]
            number = int(recording.frame_numbers[index])
            sector = frame.sector
            cropped = replace(
                frame,
                image_HW=kept_pixels(frame.image_HW, box, sector),
                index=number,
                timestamp_ns=int(recording.probe_ns[index]) - probe_ns,
                area=None,
                sector=None if sector is None else sector.within(box.top, box.left),
            )
            when_ns = int(recording.host_ns[index]) - host_ns
            files.write_frame(StreamedFrame(cropped, number, when_ns))
            for model, readers in predictions.items():
                if number in readers:
                    mask_HW = masks.crop(readers[number](), box).copy()
                    age = ages.get((number, model), 0)
                    files.write_prediction(Prediction(cropped, mask_HW, None, age, model))
        for event_ns, kind, _ in recording.events:  # what a device says may name it
            files.write_event(event_ns - host_ns, kind, "")
    finally:
        files.close()
    return masks


def _state_ages(path: Path) -> dict[tuple[int, str], int]:
    """Return how many frames each recorded mask's model had seen, by frame number and model."""
    text = lines_path(path).read_text(encoding="utf-8", errors="replace")
    # The rest after the last newline is incomplete.
    lines = [json.loads(line) for line in text.split("\n")[:-1]]
    return {
        (line["prediction"], line["model"]): int(line["state_age"])
        for line in lines
        if "prediction" in line
    }


def _boxes(recording: StreamRecording, found: Box | None, given: GivenArea | None) -> Iterator[Box]:
    """Yield the box of every frame."""
    shapes = [image.shape for image in (recording.images[i] for i in range(len(recording)))]
    known: dict[tuple[int, ...], Box] = {}
    for shape, area in zip(shapes, recording.areas, strict=True):
        if area is not None:
            known.setdefault(shape, area)
    for index, (shape, area) in enumerate(zip(shapes, recording.areas, strict=True)):
        name = f"frame {recording.frame_numbers[index]} of {recording.source}"
        if given is not None:
            yield given.within((shape[0], shape[1]), name).box
            continue
        box = area or known.get(shape) or (found if shape == shapes[0] else None)
        if box is None or box.bottom > shape[0] or box.right > shape[1]:
            raise RefusedError(
                "no ultrasound region found",
                f"nobody knows where the ultrasound is in {name}; give --area",
            )
        yield box
