import os
import platform
import socket
import sys

import pytest

from fakes.clarius import SDK, StandIn, is_running
from sonotempo.live.sources.clarius.check import STEPS, check_steps

OWN = f"python{sys.version_info.major}{sys.version_info.minor}"


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    return StandIn(tmp_path / "stand-in", monkeypatch)


@pytest.fixture
def port():
    """A port of this machine that takes connections, as the probe's Cast port does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def dead_port():
    """A port of this machine that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
    return number


def checked(port, sdk=SDK, host="127.0.0.1", timeout_s=20.0):
    steps = tuple(check_steps(host, port, sdk, timeout_s=timeout_s))
    assert tuple(step.name for step in steps) == STEPS
    return {step.name: step for step in steps}


def failed(steps):
    """The one step that failed, with all before it in order and nothing tried that needs it."""
    names = [step.name for step in steps.values() if step.outcome == "failed"]
    assert len(names) == 1
    return steps[names[0]]


def test_if_all_is_well_every_step_says_so_and_nothing_stays(stand_in, port):
    steps = checked(port)
    assert [step.outcome for step in steps.values()] == ["ok"] * len(STEPS)
    module = SDK / "pyclariuscast.py"
    assert steps["SDK"].detail == f"{module} (plain Python, not the vendor's build)"
    assert [pid for pid in stand_in.pids() if is_running(pid)] == []


def test_a_missing_sdk_is_named_and_the_address_is_tried_all_the_same(port, tmp_path):
    steps = checked(port, tmp_path)
    assert failed(steps).name == "SDK"
    assert "clariusdev/cast/releases" in failed(steps).detail
    assert steps["address"].is_ok
    assert steps["loading"].outcome == steps["images"].outcome == "not tried"


def test_builds_for_other_pythons_are_named(port, tmp_path):
    for version in ("python38", "python39"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "pyclariuscast.so").touch()
    steps = checked(port, tmp_path)
    assert steps["Python"].outcome == "failed"
    assert "built for 3.8, 3.9" in steps["Python"].detail
    assert "3.11 or 3.12" in steps["Python"].detail


@pytest.mark.skipif(sys.platform == "win32", reason="Windows loads .pyd files")
def test_a_build_that_cannot_be_loaded_is_named_with_the_loaders_reason(port, tmp_path):
    (tmp_path / OWN).mkdir()
    (tmp_path / OWN / "pyclariuscast.so").write_bytes(b"\x7fELF, damaged")
    steps = checked(port, tmp_path)
    assert failed(steps).name == "loading"
    assert "cannot be loaded" in failed(steps).detail
    assert f"another kind of machine than this one ({platform.system()}" in failed(steps).detail


def test_an_sdk_that_dies_while_it_is_loaded_is_named(port, tmp_path):
    (tmp_path / "pyclariuscast.py").write_text("import os\nos.abort()\n")
    steps = checked(port, tmp_path)
    assert failed(steps).name == "loading"
    assert "crashed its process while loading" in failed(steps).detail


def test_an_address_where_nothing_listens_points_at_the_app_and_its_port(stand_in, dead_port):
    steps = checked(dead_port)
    assert failed(steps).name == "address"
    assert "Clarius App is running" in failed(steps).detail
    assert steps["loading"].is_ok
    assert steps["connection"].outcome == "not tried"


def test_an_unknown_name_is_told_apart(stand_in):
    steps = checked(5828, host="no-such-host.invalid")
    assert failed(steps).name == "address"
    assert "is not a known address" in failed(steps).detail


def test_a_refusal_though_the_address_answers_points_at_the_version(stand_in, port):
    stand_in.turn_on("refuse")
    steps = checked(port)
    assert failed(steps).name == "connection"
    assert "unless theirs are the same" in failed(steps).detail
    assert steps["images"].outcome == "not tried"


def test_a_hang_while_connecting_is_named_in_bounded_time(stand_in, port):
    stand_in.turn_on("hang_in_connect")
    steps = checked(port, timeout_s=0.5)
    assert failed(steps).name == "connection"
    assert "did not answer while connecting within 0.5 s" in failed(steps).detail


def test_a_crash_after_connecting_is_named(stand_in, port):
    stand_in.turn_on("network_down")
    stand_in.order("abort")
    steps = checked(port)
    last = [step for step in steps.values() if step.outcome == "failed"]
    assert "crashed its process" in last[0].detail


def test_connected_without_images_points_at_the_firewall(stand_in, port):
    stand_in.turn_on("network_down")
    steps = checked(port, timeout_s=2.0)
    assert failed(steps).name == "images"
    assert "firewall" in failed(steps).detail


def test_connected_but_frozen_is_said(stand_in, port):
    stand_in.turn_on("network_down")
    stand_in.order("freeze")
    steps = checked(port, timeout_s=2.0)
    assert "the probe is frozen" in failed(steps).detail


def test_images_that_cannot_be_used_are_said(stand_in, port):
    stand_in.turn_on("wrong_size")
    steps = checked(port, timeout_s=2.0)
    assert "cannot be used" in failed(steps).detail


def test_stopping_early_leaves_no_process(stand_in, port):
    steps = check_steps("127.0.0.1", port, SDK)
    for step in steps:
        if step.name == "loading":
            break
    steps.close()
    assert stand_in.pids()
    assert [pid for pid in stand_in.pids() if pid != os.getpid() and is_running(pid)] == []
