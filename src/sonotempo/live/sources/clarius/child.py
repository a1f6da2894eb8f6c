"""Runs in the child process that holds the Clarius SDK.

The SDK has its own threads and its own Qt, and is known to crash its process when it fails. In a
child process it cannot harm the program that shows the images: images leave through the ring
buffer, everything else through a pipe. This file imports only what it needs, because every new
process waits for the imports.
"""

import faulthandler
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TextIO

from sonotempo.errors import SonotempoError, SourceError
from sonotempo.live.buffer.ring_block import BufferHandle
from sonotempo.live.buffer.ring_buffer import RingWriter
from sonotempo.live.sources.clarius.callbacks import CastCallbacks, Outbox, in_words
from sonotempo.live.sources.clarius.messages import (
    IMAGE_FORMATS,
    USER_FUNCTIONS,
    CastSettings,
    Instruction,
)
from sonotempo.live.sources.clarius.sdk import Caster, load_sdk
from sonotempo.live.sources.source import Command

# "research" instead of a certificate: the App's Cast permission of that name.
_CERTIFICATE = "research"
_REPORT_S = 0.25


def run(
    settings: CastSettings, handle: BufferHandle, instructions: Connection, messages: Connection
) -> None:
    """Load the SDK, connect, and stream until stopped; then end the process.

    It does not return: the SDK may crash or hang while the interpreter exits, so the process ends
    without that.
    """
    _leave_stdout_alone()
    # Programs without a console have no stderr.
    trace = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    faulthandler.enable(trace)
    # Ctrl-C reaches every process of a terminal; the host decides what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    inbox: queue.SimpleQueue[Instruction] = queue.SimpleQueue()
    threading.Thread(
        target=_listen, args=(instructions, inbox, settings.orphan_s, trace), daemon=True
    ).start()
    outbox = Outbox(messages)
    try:
        _stream(settings, CastCallbacks(RingWriter(handle), outbox), inbox, outbox)
    except SonotempoError as error:
        outbox.send("fatal", str(error))
    except Exception as error:  # noqa: BLE001  # the SDK's own errors are unknown
        outbox.send("refused", f"the Clarius SDK failed: {in_words(error)}")
    os._exit(0)


def _leave_stdout_alone() -> None:
    """Redirect the SDK's output to stderr: a program may read the host's stdout."""
    with suppress(OSError):
        os.dup2(2, 1)


def _listen(
    instructions: Connection,
    inbox: "queue.SimpleQueue[Instruction]",
    orphan_s: float,
    trace: TextIO,
) -> None:
    """Pass instructions on; end the process when its host has ended.

    If the SDK blocks the interpreter, this thread cannot notice the host's end. The timer runs
    outside of the interpreter and ends the process unless it is reset in time.
    """
    while True:
        faulthandler.dump_traceback_later(orphan_s, exit=True, file=trace)
        try:
            if instructions.poll(orphan_s / 4):
                inbox.put(instructions.recv())
        except (EOFError, OSError):
            os._exit(1)


def _stream(
    settings: CastSettings,
    callbacks: CastCallbacks,
    inbox: "queue.SimpleQueue[Instruction]",
    outbox: Outbox,
) -> None:
    sdk = load_sdk(settings.sdk)
    caster = make_caster(sdk, callbacks)
    outbox.send("loaded")
    keys = f"{settings.keys_folder}{os.sep}"
    if not caster.init(keys, settings.width_px, settings.height_px):
        outbox.send("refused", f"the Clarius SDK could not be initialised with keys in {keys}")
        return
    if not caster.setFormat(IMAGE_FORMATS[settings.image_format]):
        outbox.send("error", f"the SDK refused the image format {settings.image_format!r}")
    # After a failed connection the SDK may crash in destroy(), so it is not called.
    if not caster.connect(settings.host, settings.port, _CERTIFICATE):
        outbox.send("refused", refusal(settings.host, settings.port))
        return
    outbox.send("connected", f"{settings.host}:{settings.port}")
    callbacks.gate = "connected"
    while (instruction := _next(inbox)) != "stop":
        if instruction == "go":
            callbacks.gate = "open"
        elif instruction is not None:
            _carry_out(instruction, caster, outbox)
        outbox.send("received", received=callbacks.received)
    callbacks.gate = "shut"
    caster.disconnect()
    caster.destroy()


def make_caster(sdk: Any, callbacks: CastCallbacks) -> Caster:
    """Create the SDK's object with all its callbacks: six since version 12, five before.

    Raises:
        SourceError: it accepts neither.
    """
    image, raw, spectrum, imu, freeze, buttons = callbacks.all()
    try:
        caster: Caster = sdk.Caster(image, raw, spectrum, imu, freeze, buttons)
    except TypeError as six:
        try:
            caster = sdk.Caster(image, raw, spectrum, freeze, buttons)
        except TypeError:
            raise SourceError(
                "this pyclariuscast expects other callbacks than Cast 11 and 12 "
                f"({in_words(six)}); use version 12 from the vendor's releases"
            ) from six
    return caster


def refusal(host: str, port: int) -> str:
    """Return what to check when the SDK cannot connect; it reports no reason."""
    return (
        f"no connection to {host}:{port}. Check that the Clarius App is running with the probe, "
        "this machine is in the probe's Wi-Fi (DIRECT-…), the port is the one that the App shows "
        "(5828 with the Cast permission 'Research'), and the SDK has the App's version"
    )


def _next(inbox: "queue.SimpleQueue[Instruction]") -> Instruction | None:
    try:
        return inbox.get(timeout=_REPORT_S)
    except queue.Empty:
        return None


def _carry_out(command: Command, caster: Caster, outbox: Outbox) -> None:
    """Press the scanner's button; freeze and depth are then reported by callbacks."""
    outbox.send("asked", command)
    try:
        is_taken = caster.userFunction(USER_FUNCTIONS[command], 0)
    except Exception as error:  # noqa: BLE001  # the SDK's own errors are unknown
        outbox.send("error", f"{command}: {in_words(error)}")
        return
    if not is_taken:
        outbox.send("error", f"the probe did not accept the command {command!r}; try again")
    elif command in ("gain+", "gain-"):
        outbox.send("gain", command)
