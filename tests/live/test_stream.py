import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from fakes.files import noise
from fakes.onnx_models import write_model
from fakes.streams import HandSource, StatefulModel, StatelessModel
from sonotempo import cli
from sonotempo.errors import SonotempoError
from sonotempo.io import open_recording
from sonotempo.io.writers import write_sequence
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.sources.playback import PlaybackSource
from sonotempo.live.stream import run_stream, stream_report
from sonotempo.structures import AXILLARY


def call(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def plain(text):
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Files of a frame model and a sequence model of the axillary structures."""
    folder = tmp_path_factory.mktemp("models")
    paths = {}
    for arm in ("frame", "sequence"):
        paths[arm] = folder / f"{arm}.onnx"
        write_model(paths[arm], arms=(arm,), structures=AXILLARY)
        # Importing an engine begins threads that are not ours, before any are counted.
        OnnxPredictor(paths[arm], threads=1).close()
    return paths


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Twenty frames at 50 a second."""
    folder = tmp_path_factory.mktemp("recordings") / "anna" / "one"
    times_ns = np.arange(20) * 20_000_000
    write_sequence(
        folder, "us", noise(20, 48, 64), None, spacing_mm=(0.1, 0.1), timestamps_ns=times_ns
    )
    return folder


def console(*, terminal=False):
    return Console(file=StringIO(), width=100, force_terminal=terminal, color_system=None)


def shared_memory(pid=None):
    """What a process, by default this one, has made of it."""
    return sorted(Path("/dev/shm").glob(f"sonotempo-{pid or os.getpid()}-*"))


def test_two_models_stream_the_phantom_from_end_to_end(models, tmp_path):
    """Phantom, shared memory, two exported models, statistics."""
    threads, memory = threading.active_count(), shared_memory()
    stats = tmp_path / "new" / "stats.json"
    result = call(
        *("stream", "phantom://axillary", "--seconds", 4, "--threads", 1, "--json", stats),
        *("--model", models["frame"], "--model", models["sequence"]),
    )
    assert result.exit_code == 0, result.output
    report = json.loads(stats.read_text(encoding="utf-8"))
    found = report["statistics"]
    assert report["state"] == "stopped"
    assert report["events"]["connected"] == 1
    assert [one["arms"] for one in report["models"]] == [["frame"], ["sequence"]]
    assert found["segmented"] > 20
    assert found["captured"] == found["segmented"] + found["skipped"] + found["waiting"]
    assert found["overruns"] == 0
    assert found["resets"]["start"] == 1
    parts_ms = sum(stage["mean_ms"] for stage in found["stages"].values())
    assert found["latency"]["mean_ms"] == pytest.approx(parts_ms)
    assert 0 < found["latency"]["p50_ms"] <= found["latency"]["p95_ms"]
    for one in found["predictors"]:
        assert 0 < one["state_age"] <= found["segmented"]
        assert one["inference"]["mean_ms"] > 0
    for words in ("tiny frame (a test model)", "tiny sequence", "480x640 pixels", "capture to rea"):
        assert words in plain(result.output)
    assert threading.active_count() == threads
    assert shared_memory() == memory


def test_a_recording_streams_to_its_end_without_losing_a_frame(models, recording, tmp_path):
    stats = tmp_path / "stats.json"
    result = call(
        *("stream", recording, "--model", models["sequence"], "--policy", "every"),
        *("--rate", 2, "--threads", 1, "--json", stats),
    )
    assert result.exit_code == 0, result.output
    report = json.loads(stats.read_text(encoding="utf-8"))
    assert report["state"] == "finished"
    assert report["source"] == "/".join(recording.parts[-2:])
    found = report["statistics"]
    assert (found["captured"], found["segmented"], found["dropped"]) == (20, 20, 0)
    assert report["events"] == {"connected": 1, "ended": 1}


def test_on_a_terminal_the_table_is_redrawn_while_it_streams(recording):
    screen = console(terminal=True)
    source = PlaybackSource(open_recording(recording), rate=0.5)
    run_stream("one", source, [StatelessModel()], screen)
    said = screen.file.getvalue()
    assert said.count("frames a second") > 2
    assert "source: ended" in said
    assert "48x64 pixels" in said


def test_elsewhere_the_table_is_printed_once(recording):
    screen = console()
    source = PlaybackSource(open_recording(recording), rate=10)
    streamed = run_stream("one", source, [StatelessModel(), StatefulModel()], screen)
    said = screen.file.getvalue()
    assert said.count("frames a second") == 1
    assert streamed.state == "finished"
    for words in ("frame: numpy", "sequence: numpy", "state age", "start 1"):
        assert words in said


def test_time_is_kept_even_if_no_frame_ever_comes():
    source = HandSource()
    began = time.monotonic()
    screen = console()
    streamed = run_stream("nothing", source, [StatelessModel()], screen, seconds=0.3)
    assert time.monotonic() - began < 3
    assert (streamed.state, streamed.statistics.captured) == ("stopped", 0)
    assert source.calls == ["start", "stop"]
    assert "none yet" in screen.file.getvalue()


def test_a_source_that_cannot_start_is_an_error_without_a_table_of_zeros():
    threads = threading.active_count()
    source, screen = HandSource(), console()

    def refuse(_):
        raise SonotempoError("no probe there")

    source.start = refuse
    with pytest.raises(SonotempoError, match="no probe there"):
        run_stream("probe", source, [StatelessModel()], screen)
    assert screen.file.getvalue() == ""
    assert (threading.active_count(), shared_memory()) == (threads, [])


def test_a_model_that_fails_ends_the_stream_with_its_table_and_error(recording):
    screen = console()
    source = PlaybackSource(open_recording(recording))
    streamed = run_stream("one", source, [StatelessModel(fail_at=3)], screen)
    assert streamed.state == "failed"
    assert "model 'frame' (numpy) failed on frame 3" in str(streamed.error)
    assert streamed.statistics.segmented == 3
    assert "3 segmented" in screen.file.getvalue()
    report = stream_report("one", "newest", [StatelessModel()], streamed)
    assert json.loads(json.dumps(report))["error"] == str(streamed.error)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policy", "newst"], "did you mean 'newest'"),
        (["--engine", "openvno"], "did you mean 'openvino'"),
        (["--rate", "0"], "playback rate"),
        (["--json", "{file}/stats.json"], "cannot be created"),
    ],
)
def test_a_stream_that_cannot_be_is_refused_in_one_sentence(
    models, recording, tmp_path, arguments, words
):
    file = tmp_path / "file"
    file.write_text("in the way", encoding="utf-8")
    arguments = [argument.format(file=file) for argument in arguments]
    result = call("stream", recording, "--model", models["frame"], *arguments)
    assert isinstance(result.exception, SonotempoError), result.output
    assert words in str(result.exception)
    assert len(str(result.exception).splitlines()) == 1


def test_a_source_or_a_model_that_is_not_there_is_named(models, tmp_path):
    result = call("stream", tmp_path / "no.mp4", "--model", models["frame"])
    assert "no.mp4 does not exist" in str(result.exception)
    result = call("stream", "phantom://axillary", "--model", tmp_path / "no.onnx")
    assert "no.onnx" in str(result.exception)


def test_a_stream_is_recorded_with_its_masks_and_events(models, recording, tmp_path):
    out = tmp_path / "out.mkv"
    result = call(
        *("stream", recording, "--model", models["sequence"], "--policy", "every", "--threads", 1),
        *("--record", out, "--record-predictions"),
    )
    assert result.exit_code == 0, result.output
    assert "recorded 20 frames, 20 masks" in plain(result.output)
    played, back = open_recording(recording), open_recording(out, AXILLARY)
    assert back.timestamps_ns.tolist() == played.timestamps_ns.tolist()
    for index in range(20):
        np.testing.assert_array_equal(back[index].image_HW, played[index].image_HW)
    assert '"connected"' in out.with_suffix(".jsonl").read_text(encoding="utf-8")


def test_a_recorder_that_gives_up_is_said_at_the_end_and_the_stream_goes_on(
    recording, tmp_path, monkeypatch
):
    def full(self, streamed):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sonotempo.live.recording.metaimage.MetaImageFiles.write_frame", full)
    screen = console()
    source = PlaybackSource(open_recording(recording), rate=4)
    streamed = run_stream(
        "one", source, [StatelessModel()], screen, policy="every", record=tmp_path / "out"
    )
    assert streamed.statistics.segmented == 20
    assert "No space left on device" in str(streamed.error)
    assert "recorder: error" in screen.file.getvalue()


def test_a_recording_that_is_there_already_is_left_alone(models, recording, tmp_path):
    (tmp_path / "out.mkv").write_text("precious", encoding="utf-8")
    arguments = ["stream", recording, "--model", models["frame"], "--record", tmp_path / "out.mkv"]
    assert "out.mkv" in str(call(*arguments).exception)
    assert (tmp_path / "out.mkv").read_text(encoding="utf-8") == "precious"
    result = call("stream", recording, "--model", models["frame"], "--record-predictions")
    assert "needs a recording" in str(result.exception)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_the_stream_with_its_table_and_leaves_nothing_behind(models, recording):
    code = "from sonotempo.cli import main; main()"
    arguments = ["stream", recording, "--loop", "--threads", 1, "--model", models["frame"]]
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "100", "PYTHONUNBUFFERED": "1"},
    ) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "source: seek" in line:
                break
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert shared_memory(process.pid) == []
    assert "stopped by Ctrl-C" in rest
    assert "capture to ready" in rest
    assert "Traceback" not in errors


def test_segment_writes_masks_and_video_with_a_progress_bar(models, recording, tmp_path):
    result = call(
        *("segment", recording, "--model", models["sequence"], "--threads", 1),
        *("--out", tmp_path / "masks", "--video", tmp_path / "overlay.mp4"),
    )
    assert result.exit_code == 0, result.output
    assert "100%" in result.output
    assert "20 frames" in plain(result.output)
    back = open_recording(tmp_path / "masks", AXILLARY)
    assert back.labelled == tuple(range(20))
    assert len(open_recording(tmp_path / "overlay.mp4")) == 20


def test_a_recording_in_the_same_folder_as_its_masks_is_refused(models, recording):
    result = call("segment", recording, "--model", models["frame"], "--out", recording)
    assert "is not empty" in str(result.exception)
