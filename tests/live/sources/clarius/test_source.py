"""ClariusSource through the stand-in SDK; no probe was ever at the other end of these tests."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fakes.clarius import SDK, StandIn, is_running, wait_until
from fakes.clarius_sdk.pyclariuscast import borders, expected_grey, number_of
from sonotempo.errors import SourceError
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.sources.clarius.sdk import RELEASES
from sonotempo.live.sources.clarius.source import ClariusSource
from sonotempo.live.sources.clarius.watchdog import ClariusLimits
from sonotempo.recording import Box

HEIGHT, WIDTH = 48, 64
# Patient where a busy machine may be slow, quick where a test waits for it.
LIMITS = ClariusLimits(
    start_s=30,
    connect_s=30,
    first_image_s=30,
    stale_s=8.0,
    hang_s=30,
    stop_s=2.0,
    backoff_s=0.05,
    backoff_max_s=0.2,
    steady_s=0.1,
)
needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX knows them")


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    return StandIn(tmp_path / "stand-in", monkeypatch)


@pytest.fixture
def buffer():
    with RingBuffer(seconds=20, rate_hz=50, height_px=HEIGHT, width_px=WIDTH) as ring:
        yield ring


class Stream:
    """A started source with a reader and every event so far."""

    def __init__(self, buffer, **changes):
        limits = changes.pop("limits", LIMITS)
        options = {"sdk": SDK, "width_px": WIDTH, "height_px": HEIGHT, **changes}
        self.source = ClariusSource("192.168.1.1", limits=limits, **options)
        self.reader = buffer.reader()
        self._events = []

    def close(self):
        self.source.stop()
        self.reader.close()

    @property
    def events(self):
        self._events.extend(self.source.events())
        return self._events

    @property
    def kinds(self):
        return [event.kind for event in self.events]

    def details(self, kind):
        return [event.detail for event in self.events if event.kind == kind]

    def wait_for(self, kind, count=1):
        wait_until(lambda: self.kinds.count(kind) >= count, f"{count} x {kind!r}")

    def wait_for_frames(self, more=3):
        enough = self.reader.written + more
        wait_until(lambda: self.reader.written >= enough, f"{more} more frames")

    def frames(self):
        """Every frame not read before."""
        return list(iter(self.reader.next, None))


@pytest.fixture
def stream(stand_in, buffer):
    """Make a started stream; it is stopped with the test."""
    streams = []

    def begin(**changes):
        streams.append(Stream(buffer, **changes))
        streams[-1].source.start(buffer)
        return streams[-1]

    yield begin
    for each in streams:
        each.close()


def check_intact(streamed, gain=0):
    """A frame must be, to the last pixel, the image that the probe showed at its time stamp."""
    frame = streamed.frame
    number = number_of(frame.timestamp_ns)
    np.testing.assert_array_equal(frame.image_HW, expected_grey(number, HEIGHT, WIDTH, gain))
    assert frame.area == Box(*borders(HEIGHT, WIDTH))
    return number


def test_every_image_arrives_whole_with_its_time_spacing_and_area(stream):
    live = stream()
    live.wait_for_frames(20)
    live.source.stop()
    frames = live.frames()
    shown = [check_intact(streamed) for streamed in frames]
    assert [streamed.number for streamed in frames] == list(range(len(frames)))
    assert np.all(np.diff(shown) == 1)
    assert {streamed.frame.spacing_mm for streamed in frames} == {(0.08, 0.08)}
    now_ns = time.monotonic_ns()
    assert all(0 < now_ns - streamed.host_ns < 60e9 for streamed in frames)
    assert live.kinds[:3] == ["connecting", "connected", "running"]


def test_no_frame_is_older_than_the_connection_it_came_through(stream):
    live = stream()
    live.wait_for_frames()
    first = live.frames()[0]
    began = [event for event in live.events if event.kind in ("connecting", "connected", "running")]
    assert [event.kind for event in began] == ["connecting", "connected", "running"]
    # At the latest, the first frame is the one whose arrival was told.
    assert all(event.host_ns <= first.host_ns for event in began)


def test_the_process_is_asked_for_what_was_set_and_is_light(stream, stand_in):
    live = stream()
    live.wait_for_frames()
    live.source.stop()
    assert stand_in.calls() == [
        "Caster 6",
        "heavy []",
        f"init {Path.home()}{os.sep} {WIDTH} {HEIGHT}",
        "setFormat 0",
        "connect 192.168.1.1 5828 research",
        "disconnect",
        "destroy",
    ]


@pytest.mark.parametrize(
    ("image_format", "tolerance", "border"), [("grey", 0, 0), ("png", 0, 0), ("jpeg", 100, 8)]
)
def test_other_formats_show_the_same_image(stream, image_format, tolerance, border):
    live = stream(image_format=image_format)
    live.wait_for_frames()
    frame = live.frames()[0].frame
    shown_HW = expected_grey(number_of(frame.timestamp_ns), HEIGHT, WIDTH)
    difference_HW = np.abs(frame.image_HW.astype(int) - shown_HW)
    assert difference_HW.max() <= tolerance
    assert difference_HW.mean() <= tolerance / 10
    expected = np.array(borders(HEIGHT, WIDTH))
    area = frame.area
    assert np.abs([area.top, area.left, area.bottom, area.right] - expected).max() <= border


def test_a_refused_format_is_an_error_and_no_end(stream, stand_in):
    stand_in.turn_on("refuse_format")
    live = stream(image_format="grey")
    live.wait_for_frames()
    assert live.details("error") == ["the SDK refused the image format 'grey'"]


def test_commands_reach_the_probe_and_their_effect_comes_back(stream, stand_in):
    live = stream()
    live.wait_for("running")
    assert live.source.commands == ("freeze", "depth-", "depth+", "gain-", "gain+")
    for command in ("gain+", "depth+"):
        live.source.send(command)
    live.wait_for("gain")
    live.wait_for("depth")
    assert live.details("gain") == ["gain+"]
    assert live.details("depth") == ["0.0800 to 0.1000 mm per pixel"]
    live.source.send("gain-")
    live.source.send("depth-")
    live.wait_for("depth", 2)
    live.wait_for("gain", 2)
    live.frames()
    live.wait_for_frames(5)
    last = live.frames()[-1]
    check_intact(last, gain=0)
    assert last.frame.spacing_mm == (0.08, 0.08)
    pressed = [call for call in stand_in.calls() if call.startswith("userFunction")]
    assert pressed == [f"userFunction {number} 0" for number in (7, 5, 6, 4)]


def test_the_depth_event_is_no_later_than_the_first_frame_of_that_depth(stream):
    live = stream()
    live.wait_for("running")
    live.source.send("depth+")
    live.wait_for("depth")
    live.wait_for_frames()
    changed_ns = next(event.host_ns for event in live.events if event.kind == "depth")
    deeper = [one for one in live.frames() if one.frame.spacing_mm == (0.1, 0.1)]
    assert deeper[0].host_ns >= changed_ns


def test_a_command_that_the_probe_does_not_take_is_an_error(stream, stand_in):
    stand_in.turn_on("refuse_commands")
    live = stream()
    live.wait_for("running")
    live.source.send("gain+")
    live.wait_for("error")
    assert "did not accept the command 'gain+'" in live.details("error")[0]
    live.wait_for_frames()


def test_a_command_that_cannot_be_done_now_says_what_can(stream, stand_in):
    live = stream()
    live.wait_for("running")
    with pytest.raises(SourceError, match=r"running and cannot do 'fly'. Options: freeze, depth-"):
        live.source.send("fly")
    live.source.send("freeze")
    live.wait_for("frozen")
    with pytest.raises(SourceError, match=r"frozen and cannot do 'gain\+'. Options: freeze$"):
        live.source.send("gain+")
    live.source.stop()
    with pytest.raises(SourceError, match=r"stopped and cannot do 'freeze'\. Options: none"):
        live.source.send("freeze")


def test_frozen_is_not_disconnected_and_goes_on_where_it_was(stream, stand_in):
    live = stream(limits=replace(LIMITS, stale_s=1.0))
    live.wait_for("running")
    running = live.kinds.count("running")
    live.source.send("freeze")
    live.wait_for("frozen")
    assert live.source.state == "frozen"
    lost, pids = live.kinds.count("disconnected"), stand_in.pids()
    time.sleep(2.5)  # well beyond the patience for a stream that is not frozen
    assert live.source.state == "frozen"
    assert live.kinds.count("disconnected") == lost
    assert stand_in.pids() == pids
    stand_in.order("freeze")  # by the probe's button
    live.wait_for("running", running + 1)
    live.wait_for_frames()
    assert live.source.state == "running"


def test_frozen_and_gone_shows_when_it_is_told_to_go_on(stream, stand_in):
    live = stream(limits=replace(LIMITS, first_image_s=0.5))
    live.wait_for("running")
    live.source.send("freeze")
    live.wait_for("frozen")
    stand_in.turn_on("network_down", "refuse")
    live.source.send("freeze")
    live.wait_for("disconnected")
    assert "no image" in live.details("disconnected")[0]


def test_buttons_and_the_inertial_sensors_time_are_told(stream, stand_in):
    stand_in.turn_on("imu")
    live = stream()
    live.wait_for("running")
    stand_in.order("button")
    live.wait_for("button")
    stand_in.order("handle")
    live.wait_for("button", 2)
    assert live.details("button") == ["up, 2 clicks", "handle, 1 click"]
    wait_until(lambda: live.source.received.imu_points > 5, "inertial samples")
    received = live.source.received
    assert received.images > 0
    assert received.raw_images > 0
    assert abs(received.imu_ns - received.image_ns) < 1e9


def test_a_crash_of_the_sdk_is_an_event_and_the_stream_comes_back(stream, stand_in):
    live = stream()
    live.wait_for_frames(5)
    first_pid = live.source.pid
    stand_in.order("abort")
    live.wait_for("crashed")
    wait_until(lambda: live.source.state != "running", "the state to tell of the crash")
    live.wait_for("restarted")
    live.wait_for("running", 2)
    live.wait_for_frames(5)
    assert not is_running(first_pid)
    assert live.source.pid not in (first_pid, None)
    after = live.kinds[live.kinds.index("crashed") :]
    assert after[:5] == ["crashed", "connecting", "restarted", "connected", "running"]
    frames = live.frames()
    assert [streamed.number for streamed in frames] == list(range(len(frames)))
    for streamed in frames:
        check_intact(streamed)


@needs_posix
@pytest.mark.parametrize(("order", "how"), [("abort", "signal SIGABRT"), ("exit", "exit code 3")])
def test_how_the_process_died_is_said(stream, stand_in, order, how):
    live = stream()
    live.wait_for("running")
    stand_in.order(order)
    live.wait_for("crashed")
    assert how in live.details("crashed")[0]


@needs_posix
def test_being_killed_while_it_writes_spoils_no_frame(stream):
    live = stream()
    for deaths in range(1, 4):
        live.wait_for_frames(4)
        os.kill(wait_until(lambda: live.source.pid, "a process"), signal.SIGKILL)
        live.wait_for("crashed", deaths)
    live.wait_for_frames()
    frames = live.frames()
    assert [streamed.number for streamed in frames] == list(range(len(frames)))
    for streamed in frames:
        check_intact(streamed)


def test_a_silent_loss_of_the_network_is_noticed_and_mended(stream, stand_in):
    live = stream(limits=replace(LIMITS, stale_s=1.0))
    live.wait_for("running")
    stand_in.turn_on("network_down")
    live.wait_for("disconnected")
    assert "no image for 1 s, and not frozen" in live.details("disconnected")[0]
    stand_in.turn_off("network_down")
    written = live.reader.written
    wait_until(lambda: live.reader.written > written + 3, "frames after the network came back")
    wait_until(lambda: live.source.state == "running", "running")
    assert "crashed" not in live.kinds


def test_a_firewall_that_lets_no_image_through_is_named(stream, stand_in):
    stand_in.turn_on("network_down")
    live = stream(limits=replace(LIMITS, first_image_s=0.3))
    live.wait_for("disconnected", 2)
    assert "firewall" in live.details("disconnected")[0]
    assert live.kinds[:3] == ["connecting", "connected", "disconnected"]


def test_a_refused_connection_is_tried_again_until_it_is_taken(stream, stand_in):
    stand_in.turn_on("refuse")
    live = stream()
    live.wait_for("disconnected", 3)
    assert "Clarius App is running" in live.details("disconnected")[0]
    assert live.details("connecting")[2] == "192.168.1.1:5828, attempt 3"
    pauses = [detail.rsplit(" ", 2)[1] for detail in live.details("disconnected")[:3]]
    assert pauses == ["0.05", "0.1", "0.2"]
    assert "destroy" not in stand_in.calls()
    stand_in.turn_off("refuse")
    live.wait_for_frames()


def test_an_sdk_that_cannot_be_initialised_is_tried_again(stream, stand_in):
    stand_in.turn_on("init_fails")
    live = stream()
    live.wait_for("disconnected", 2)
    assert "could not be initialised" in live.details("disconnected")[0]


def test_a_hang_while_connecting_ends_in_bounded_time(stream, stand_in):
    stand_in.turn_on("hang_in_connect")
    live = stream(limits=replace(LIMITS, connect_s=0.5, stop_s=0.2))
    live.wait_for("disconnected")
    assert "did not answer within 0.5 s" in live.details("disconnected")[0]
    stand_in.turn_off("hang_in_connect")
    live.wait_for("connected")


def test_an_sdk_that_holds_the_interpreter_for_good_is_killed(stream, stand_in):
    live = stream(limits=replace(LIMITS, stop_s=0.3, stale_s=1.0))
    live.wait_for("running")
    pid = live.source.pid
    stand_in.order("hold_interpreter")
    live.wait_for("disconnected")
    live.wait_for("running", 2)
    assert not is_running(pid)
    assert "the SDK did not disconnect; its process was killed" in live.details("error")


@pytest.mark.parametrize("switch", ["hang_in_destroy", "crash_in_destroy"])
def test_an_sdk_that_cannot_be_destroyed_does_not_hold_up_the_end(stream, stand_in, switch):
    stand_in.turn_on(switch)
    live = stream(limits=replace(LIMITS, stop_s=0.5))
    live.wait_for("running")
    pid = live.source.pid
    began_s = time.monotonic()
    live.source.stop()
    assert time.monotonic() - began_s < 10
    assert not is_running(pid)
    assert live.source.state == "stopped"
    assert "destroy" in stand_in.calls()
    assert "crashed" not in live.kinds


def test_an_sdk_of_another_kind_ends_the_source_at_once(stream, stand_in):
    stand_in.turn_on("other_arity")
    live = stream()
    live.wait_for("ended")
    assert live.source.state == "ended"
    assert live.kinds == ["connecting", "error", "ended"]
    assert "other callbacks than Cast 11 and 12" in live.details("error")[0]
    assert len(stand_in.pids()) == 1


def test_the_sdk_before_this_one_streams_too(stream, stand_in):
    stand_in.turn_on("version_11")
    live = stream()
    live.wait_for_frames()
    check_intact(live.frames()[0])


def test_images_that_do_not_fit_are_told_and_the_host_lives(stream, stand_in):
    stand_in.turn_on("twice_as_large")
    live = stream()
    live.wait_for("error")
    assert "does not fit the buffer's" in live.details("error")[0]
    stand_in.turn_off("twice_as_large")
    live.wait_for_frames()
    check_intact(live.frames()[0])


def test_images_that_cannot_be_read_are_counted_and_told_once(stream, stand_in):
    stand_in.turn_on("wrong_size")
    live = stream()
    wait_until(lambda: live.source.received.errors > 5, "errors")
    assert len(live.details("error")) == 1
    assert not [call for call in stand_in.calls() if call.startswith("escaped")]


def test_without_the_sdk_starting_says_where_it_comes_from(buffer, tmp_path):
    source = ClariusSource("192.168.1.1", sdk=tmp_path)
    with pytest.raises(SourceError, match=re.escape(RELEASES)):
        source.start(buffer)
    assert source.state == "stopped"
    source.stop()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"port": 0}, "port from 1 to 65535"),
        ({"port": 65536}, "port from 1 to 65535"),
        ({"host": ""}, "clarius://192.168.1.1:5828"),
        ({"width_px": 0}, "numbers above 0"),
        ({"image_format": "gray"}, "did you mean 'grey'"),
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(changes, says):
    with pytest.raises(SourceError, match=says):
        ClariusSource(**{"host": "192.168.1.1", **changes})


def test_a_buffer_that_is_too_small_is_refused_at_once(stand_in, buffer):
    source = ClariusSource("192.168.1.1", sdk=SDK, width_px=WIDTH, height_px=2 * HEIGHT)
    with pytest.raises(SourceError, match=f"do not fit the buffer's {HEIGHT}x{WIDTH}"):
        source.start(buffer)


def test_it_cannot_be_started_twice_but_again(stream, buffer):
    live = stream()
    with pytest.raises(SourceError, match="stop it first"):
        live.source.start(buffer)
    live.source.stop()
    live.source.stop()
    live.source.start(buffer)
    live.wait_for("running")


def test_a_stop_at_any_moment_leaves_nothing_running(stand_in):
    threads, memory = set(threading.enumerate()), set(shared_memory())
    for pause_s in (0.0, 0.02, 0.1, 0.3, 0.8):
        with RingBuffer(1, 4, HEIGHT, WIDTH) as buffer:
            live = Stream(buffer)
            live.source.start(buffer)
            time.sleep(pause_s)  # stopping must be possible at any time, so any will do
            live.close()
        assert live.source.state == "stopped"
        assert live.source.pid is None
    assert multiprocessing.active_children() == []
    assert [pid for pid in stand_in.pids() if is_running(pid)] == []
    assert set(threading.enumerate()) <= threads
    assert set(shared_memory()) <= memory


def shared_memory():
    folder = Path("/dev/shm")
    return folder.glob(f"sonotempo-{os.getpid()}-*") if folder.is_dir() else ()


HOST = f"""
import sys
import time
from pathlib import Path
Path(sys.argv[1], "ran").open("a").write("once ")
from sonotempo.live.sources.clarius.source import ClariusSource
from sonotempo.live.sources.clarius.watchdog import ClariusLimits
from sonotempo.live.buffer.ring_buffer import RingBuffer
buffer = RingBuffer(1, 4, {HEIGHT}, {WIDTH})
source = ClariusSource(
    "192.168.1.1",
    sdk=Path({str(SDK)!r}),
    width_px={WIDTH},
    height_px={HEIGHT},
    limits=ClariusLimits(orphan_s=float(sys.argv[3])),
)
source.start(buffer)
while source.state != "running":
    time.sleep(0.01)
print(source.pid, flush=True)
time.sleep(float(sys.argv[2]))
buffer.close()
"""


@pytest.fixture
def host(stand_in, tmp_path):
    """Run a program that streams, has no ``if __name__ == "__main__"`` and stops nothing."""
    script = tmp_path / "host.py"
    script.write_text(HOST)
    programs = []

    def begin(seconds, orphan_s=60):
        program = subprocess.Popen(
            [sys.executable, script, stand_in.folder, str(seconds), str(orphan_s)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        programs.append(program)
        return program, int(program.stdout.readline())

    yield begin
    for program in programs:
        program.kill()
        program.communicate()


def test_the_hosts_script_is_not_run_again_in_the_process(host, stand_in):
    program, pid = host(0)
    program.wait(30)
    assert (stand_in.folder / "ran").read_text() == "once "
    wait_until(lambda: not is_running(pid), "the process to end with its host")


def test_a_host_that_ends_without_stopping_ends_and_takes_the_process_along(host, stand_in):
    program, pid = host(0)
    assert program.wait(30) == 0
    wait_until(lambda: not is_running(pid), "the process to end with its host")
    assert "destroy" in stand_in.calls()


@needs_posix
def test_a_host_that_is_killed_takes_the_process_along(host):
    program, pid = host(600)
    assert is_running(pid)
    program.kill()
    wait_until(lambda: not is_running(pid), "the process to end with its host")


@needs_posix
def test_a_hung_sdk_ends_even_when_its_host_is_dead(host, stand_in):
    program, pid = host(600, 1.0)
    stand_in.order("hold_interpreter")
    wait_until(lambda: "order hold_interpreter" in stand_in.calls(), "the hang")
    program.kill()
    wait_until(lambda: not is_running(pid), "the process to end by its own timer")
