"""Tests a Clarius connection step by step, to name what is missing."""

import socket
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sonotempo.errors import SourceError
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.closing import Closing
from sonotempo.live.sources.clarius.host import CastProcess
from sonotempo.live.sources.clarius.messages import CastSettings, Message
from sonotempo.live.sources.clarius.sdk import PYTHON_VERSIONS, RELEASES, built_for, find_sdk

StepName = Literal["Python", "SDK", "address", "loading", "connection", "images"]
Outcome = Literal["ok", "failed", "not tried"]

# Each step with the steps that it needs. The address comes before the process, which connects at
# once, as the probe may accept only one connection.
_NEEDS: dict[StepName, tuple[StepName, ...]] = {
    "Python": (),
    "SDK": (),
    "address": (),
    "loading": ("SDK",),
    "connection": ("address", "loading"),
    "images": ("connection",),
}
STEPS = tuple(_NEEDS)

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
    >>> tuple(step.name for step in steps if step.outcome == "not tried")
    ('loading', 'connection', 'images')

    Args:
        host: the probe's address.
        port: its Cast port.
        sdk: the SDK's folder, or None if it is installed.
        timeout_s: how long to wait for the SDK to connect, and again for an image.

    Yields:
        One record for each of ``STEPS``, in this order.
    """
    ok: set[StepName] = set()
    with _Test(CastSettings(host, port, sdk), timeout_s) as test:
        for name, needed in _NEEDS.items():
            missing = [step for step in needed if step not in ok]
            if missing:
                yield CheckStep(name, "not tried", f"not tried: it needs {missing[0]}")
                continue
            try:
                detail = test.run(name)
            except SourceError as error:
                yield CheckStep(name, "failed", str(error))
            else:
                ok.add(name)
                yield CheckStep(name, "ok", detail)


class _Test(Closing):
    """The steps: each returns what was found, or raises SourceError with what to do."""

    def __init__(self, settings: CastSettings, timeout_s: float) -> None:
        self._settings, self._timeout_s = settings, timeout_s
        self._parts = ExitStack()
        self._last: dict[str, Message] = {}  # of the process, by kind

    def run(self, name: StepName) -> str:
        return {
            "Python": self._python,
            "SDK": self._sdk,
            "address": self._address,
            "loading": self._loading,
            "connection": self._connection,
            "images": self._images,
        }[name]()

    def close(self) -> None:
        self._parts.close()

    def _python(self) -> str:
        own = f"{sys.version_info.major}.{sys.version_info.minor}"
        sdk = self._settings.sdk
        built = built_for(sdk) if sdk is not None and sdk.is_dir() else ()
        if own in (built or PYTHON_VERSIONS):
            return f"Python {own}"
        try:
            find_sdk(sdk)
        except SourceError:
            whose = f"the SDK in {sdk} is built" if built else "builds of the SDK are known"
            raise SourceError(
                f"this is Python {own}, but {whose} for {', '.join(built or PYTHON_VERSIONS)}; "
                f"run sonotempo in Python {' or '.join(PYTHON_VERSIONS)}, with a build for it from "
                f"{RELEASES}"
            ) from None
        # A module that was found matters more than the list of known versions.
        return f"Python {own}"

    def _sdk(self) -> str:
        module = find_sdk(self._settings.sdk).module
        return (
            f"{module} (plain Python, not the vendor's build)"
            if module.suffix == ".py"
            else str(module)
        )

    def _address(self) -> str:
        host, port = self._settings.host, self._settings.port
        try:
            socket.create_connection((host, port), min(_REACH_S, self._timeout_s)).close()
        except ConnectionRefusedError as error:
            raise SourceError(
                f"{host} answers, but nothing listens on port {port}. Check that the Clarius App "
                "is running with the probe, and that this is the port that it shows (5828 with "
                "the Cast permission 'Research', else a new one each time)"
            ) from error
        except socket.gaierror as error:
            raise SourceError(
                f"{host!r} is not a known address ({error.strerror or error}); give the one that "
                "the Clarius App shows, such as 192.168.1.1"
            ) from error
        except (OSError, OverflowError) as error:
            raise SourceError(
                f"{host}:{port} does not answer ({str(error) or type(error).__name__}); join the "
                "probe's Wi-Fi (DIRECT-…; its password is on the App's status page), or the one "
                "that the App and the probe are in"
            ) from error
        return f"{host}:{port} answers"

    def _loading(self) -> str:
        settings = self._settings
        buffer = self._parts.enter_context(RingBuffer(1, 4, settings.height_px, settings.width_px))
        self._reader = self._parts.enter_context(buffer.reader())
        self._child = CastProcess(settings, buffer.handle)
        self._parts.callback(self._child.end, _STOP_S)
        message = self._wait(("loaded", "fatal", "refused"), "while loading", _LOAD_S)
        if message.kind != "loaded":
            raise SourceError(message.detail)
        return "the SDK is loaded"

    def _connection(self) -> str:
        kinds = ("connected", "refused", "fatal")
        message = self._wait(kinds, "while connecting", self._timeout_s)
        if message.kind != "connected":
            raise SourceError(
                f"{message.detail}. As the address answers, the likely reason is the version: SDK "
                "and App do not work together unless theirs are the same; take the App's from "
                f"{RELEASES}"
            )
        return f"connected to {message.detail}"

    def _images(self) -> str:
        self._child.tell("go")
        deadline = time.monotonic() + self._timeout_s
        while self._reader.written == 0:
            if not self._listen():
                raise self._silence("while waiting for images", self._timeout_s)
            if time.monotonic() > deadline:
                raise SourceError(self._no_image())
        return "images arrive"

    def _no_image(self) -> str:
        if "error" in self._last:
            return f"images arrive but cannot be used: {self._last['error'].detail}"
        if "frozen" in self._last:
            return "the probe is frozen; unfreeze it in the App or with its button, and test again"
        return (
            f"connected, but no image within {self._timeout_s:g} s; images use separate UDP ports: "
            "allow Python to receive UDP in this machine's firewall, and check that the probe is "
            "not frozen"
        )

    def _wait(self, kinds: tuple[str, ...], when: str, timeout_s: float) -> Message:
        """Return the first message of one of these kinds."""
        deadline = time.monotonic() + timeout_s
        is_alive = True
        while is_alive and time.monotonic() < deadline:
            is_alive = self._listen()
            for kind in kinds:
                if kind in self._last:
                    return self._last[kind]
        raise self._silence(when, timeout_s)

    def _listen(self) -> bool:
        """Read new messages; return whether the process was still running before."""
        is_alive = self._child.is_alive
        for message in self._child.messages(_POLL_S):
            self._last[message.kind] = message
        return is_alive

    def _silence(self, when: str, waited_s: float) -> SourceError:
        """Return why no message arrives."""
        if self._child.is_alive:
            return SourceError(f"the SDK did not answer {when} within {waited_s:g} s; test again")
        how = self._child.how_it_ended() or "no reason given"
        return SourceError(
            f"the SDK crashed its process {when} ({how}); take the build for this system and the "
            f"App's version from {RELEASES}"
        )
