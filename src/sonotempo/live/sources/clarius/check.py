"""Tests a Clarius connection step by step, to name what is missing."""

import socket
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from sonotempo.errors import SourceError
from sonotempo.live.buffer.ring_buffer import RingBuffer, RingReader
from sonotempo.live.sources.clarius.host import CastProcess
from sonotempo.live.sources.clarius.messages import CastSettings, Message
from sonotempo.live.sources.clarius.sdk import PYTHON_VERSIONS, RELEASES, built_for, find_sdk

StepName = Literal["Python", "SDK", "loading", "address", "connection", "images"]
Outcome = Literal["ok", "failed", "not tried"]

STEPS: tuple[StepName, ...] = get_args(StepName)

_POLL_S = 0.05
_STOP_S = 3.0
_LOAD_S = 20.0
_REACH_S = 3.0


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One step of a test of the connection.

    Attributes:
        name: what was tested.
        outcome: "not tried" if an earlier step failed that it needs.
        detail: what was found, and what to do about it if it failed.
    """

    name: StepName
    outcome: Outcome
    detail: str

    @property
    def is_ok(self) -> bool:
        """Whether it succeeded."""
        return self.outcome == "ok"


def check_steps(
    host: str, port: int = 5828, sdk: Path | None = None, *, timeout_s: float = 10.0
) -> Generator[CheckStep]:
    """Test everything between this program and a probe's images; yield each step when it is done.

    Takes up to half a minute if nothing answers; close the generator to stop early. No other
    program may be connected to the probe through Cast meanwhile, nor this one.

    >>> steps = check_steps("192.0.2.1", sdk=Path("no/such/folder"), timeout_s=0.01)
    >>> [step.name for step in steps if step.outcome == "not tried"]
    ['loading', 'connection', 'images']

    Args:
        host: the probe's address.
        port: its Cast port.
        sdk: the SDK's folder, or None if it is installed.
        timeout_s: how long to wait for the SDK to connect, and again for an image.

    Yields:
        One record for each of ``STEPS``, in this order.
    """
    yield _python(sdk)
    found = _sdk(sdk)
    yield found
    if not found.is_ok:
        yield _not_tried("loading", "there is no SDK")
        yield _address(host, port, min(_REACH_S, timeout_s))
        yield _not_tried("connection", "there is no SDK")
        yield _not_tried("images", "there is no SDK")
        return
    settings = CastSettings(host, port, sdk)
    with (
        RingBuffer(1, 4, settings.height_px, settings.width_px) as buffer,
        buffer.reader() as reader,
    ):
        yield from _through_the_sdk(settings, buffer, reader, timeout_s)


def _python(sdk: Path | None) -> CheckStep:
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    built = built_for(sdk) if sdk is not None and sdk.is_dir() else ()
    # A module that was found matters more than the list of known versions.
    if own in (built or PYTHON_VERSIONS) or _sdk(sdk).is_ok:
        return CheckStep("Python", "ok", f"Python {own}")
    whose = f"the SDK in {sdk} is built" if built else "builds of the SDK are known"
    return CheckStep(
        "Python",
        "failed",
        f"this is Python {own}, but {whose} for {', '.join(built or PYTHON_VERSIONS)}; run "
        f"sonotempo in Python {' or '.join(PYTHON_VERSIONS)}, with a build for it from {RELEASES}",
    )


def _sdk(sdk: Path | None) -> CheckStep:
    try:
        files = find_sdk(sdk)
    except SourceError as error:
        return CheckStep("SDK", "failed", str(error))
    plain = " (plain Python, not the vendor's build)" if files.module.suffix == ".py" else ""
    return CheckStep("SDK", "ok", f"{files.module}{plain}")


def _address(host: str, port: int, timeout_s: float) -> CheckStep:
    where = f"{host}:{port}"
    try:
        socket.create_connection((host, port), timeout_s).close()
    except ConnectionRefusedError:
        return CheckStep(
            "address",
            "failed",
            f"{host} answers, but nothing listens on port {port}. Check that the Clarius App is "
            "running with the probe, and that this is the port that it shows (5828 with the Cast "
            "permission 'Research', else a new one each time)",
        )
    except socket.gaierror as error:
        return CheckStep(
            "address",
            "failed",
            f"{host!r} is not a known address ({error.strerror or error}); give the one that the "
            "Clarius App shows, such as 192.168.1.1",
        )
    except (OSError, OverflowError) as error:
        reason = str(error) or type(error).__name__
        return CheckStep(
            "address",
            "failed",
            f"{where} does not answer ({reason}); join the probe's Wi-Fi (DIRECT-…; its password "
            "is on the App's status page), or the one that the App and the probe are in",
        )
    return CheckStep("address", "ok", f"{where} answers")


def _through_the_sdk(
    settings: CastSettings, buffer: RingBuffer, reader: RingReader, timeout_s: float
) -> Iterator[CheckStep]:
    """Load the SDK, connect and wait for an image, in a process such as the stream's."""
    # Before the process connects, as the probe may accept only one connection.
    address = _address(settings.host, settings.port, min(_REACH_S, timeout_s))
    child = CastProcess(settings, buffer.handle)
    heard = _Heard(child)
    try:
        loaded = _loading(heard)
        yield loaded
        yield address
        connected = (
            _not_tried("connection", "the SDK could not be loaded")
            if not loaded.is_ok
            else _not_tried("connection", "the address does not answer")
            if not address.is_ok
            else _connection(heard, timeout_s)
        )
        yield connected
        if connected.is_ok:
            child.tell("go")
            yield _images(heard, reader, timeout_s)
        else:
            yield _not_tried("images", "there is no connection")
    finally:
        child.end(_STOP_S)


class _Heard:
    """The last message of a process, by kind."""

    def __init__(self, child: CastProcess) -> None:
        self._child = child
        self._last: dict[str, Message] = {}

    def wait(self, kinds: tuple[str, ...], timeout_s: float) -> Message | None:
        """Wait for a message of one of these kinds; None if the process ends or at the timeout."""
        deadline = time.monotonic() + timeout_s
        is_alive = True
        while is_alive and time.monotonic() < deadline:
            is_alive = self.listen()
            for kind in kinds:
                if kind in self._last:
                    return self._last[kind]
        return None

    def listen(self) -> bool:
        """Read new messages; return whether the process was still running before."""
        is_alive = self._child.is_alive
        for message in self._child.messages(_POLL_S):
            self._last[message.kind] = message
        return is_alive

    def last(self, kind: str) -> str | None:
        """Return the detail of the last such message, or None."""
        message = self._last.get(kind)
        return message.detail if message is not None else None

    def silence(self, when: str, waited_s: float) -> str:
        """Return why no message arrives."""
        if self._child.is_alive:
            return f"the SDK did not answer {when} within {waited_s:g} s; test again"
        how = self._child.how_it_ended() or "no reason given"
        return (
            f"the SDK crashed its process {when} ({how}); take the build for this system and "
            f"the App's version from {RELEASES}"
        )


def _loading(heard: _Heard) -> CheckStep:
    message = heard.wait(("loaded", "fatal", "refused"), _LOAD_S)
    if message is None:
        return CheckStep("loading", "failed", heard.silence("while loading", _LOAD_S))
    if message.kind == "loaded":
        return CheckStep("loading", "ok", "the SDK is loaded")
    return CheckStep("loading", "failed", message.detail)


def _connection(heard: _Heard, timeout_s: float) -> CheckStep:
    message = heard.wait(("connected", "refused", "fatal"), timeout_s)
    if message is None:
        detail = heard.silence("while connecting", timeout_s)
        return CheckStep("connection", "failed", detail)
    if message.kind == "connected":
        return CheckStep("connection", "ok", f"connected to {message.detail}")
    return CheckStep(
        "connection",
        "failed",
        f"{message.detail}. As the address answers, the likely reason is the version: SDK and App "
        f"do not work together unless theirs are the same; take the App's from {RELEASES}",
    )


def _images(heard: _Heard, reader: RingReader, timeout_s: float) -> CheckStep:
    deadline = time.monotonic() + timeout_s
    while reader.written == 0:
        if not heard.listen():
            detail = heard.silence("while waiting for images", timeout_s)
            return CheckStep("images", "failed", detail)
        if time.monotonic() > deadline:
            return CheckStep("images", "failed", _no_image(heard, timeout_s))
    return CheckStep("images", "ok", "images arrive")


def _no_image(heard: _Heard, timeout_s: float) -> str:
    error = heard.last("error")
    if error is not None:
        return f"images arrive but cannot be used: {error}"
    if heard.last("frozen") is not None:
        return "the probe is frozen; unfreeze it in the App or with its button, and test again"
    return (
        f"connected, but no image within {timeout_s:g} s; images use separate UDP ports: allow "
        "Python to receive UDP in this machine's firewall, and check that the probe is not frozen"
    )


def _not_tried(name: StepName, why: str) -> CheckStep:
    return CheckStep(name, "not tried", f"not tried: {why}")
