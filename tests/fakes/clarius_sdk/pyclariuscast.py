"""A stand-in for the Clarius Cast SDK: the same API, arity and habits, with no probe behind it.

Point ``--sdk`` at this folder. The folder that the environment variable ``CLARIUS_STAND_IN`` names
controls it (see ``fakes.clarius.StandIn``): a file there is a switch that is on, or (``abort``,
``button``…) something to do once, after which it is removed. What is called is noted there in
``calls``.

Its habits are those of the real one as far as they are public: callbacks come on threads that
Python did not start through ``threading``, an exception that escapes one aborts the process, the
image buffer is overwritten once the callback has returned, ARGB32 lies in memory as B, G, R, A,
``isConnected`` says anything, and ``destroy`` is not to be trusted.
"""

import _thread
import ctypes
import io
import os
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

FIRST_TIMESTAMP_NS = 7_000_000_000
PERIOD_NS = 20_000_000
DEPTHS_MICRONS = (60.0, 80.0, 100.0, 120.0)
RED_BGR = (0, 0, 255)

_CALLBACKS = 6
_FORMATS = {0: "argb", 1: "grey", 2: "JPEG", 3: "PNG"}
_FREEZE, _DEPTH_LESS, _DEPTH_MORE, _GAIN_LESS, _GAIN_MORE = 1, 4, 5, 6, 7


class ArgumentError(TypeError):
    """Python argument types did not match the C++ signature."""


class ImuPoint:
    """One sample of the inertial sensor."""

    def __init__(self, tm):
        self.tm = tm
        self.gx = self.gy = self.gz = 0.0
        self.ax, self.ay, self.az = 0.0, 0.0, 9.81
        self.mx = self.my = self.mz = 0.0
        self.qw, self.qx, self.qy, self.qz = 1.0, 0.0, 0.0, 0.0


def borders(height, width):
    """Top, left, bottom, right of the part of an image that shows something."""
    return 0, width // 8, height - height // 10, width - width // 8


def expected_grey(number, height, width, gain=0):
    """The grey image that the probe shows as its ``number``-th."""
    top, left, bottom, right = borders(height, width)
    rows, columns = np.mgrid[0:height, 0:width]
    image = (20 + (rows + 3 * columns + 7 * number + 5 * gain) % 200).astype(np.uint8)
    # A red corner: red is grey 76, and would be 29 if it were taken for blue.
    image[top : top + 4, left : left + 4] = 76
    shown = np.zeros_like(image)
    shown[top:bottom, left:right] = image[top:bottom, left:right]
    return shown


def number_of(timestamp_ns):
    """Which image carries a time stamp."""
    return (timestamp_ns - FIRST_TIMESTAMP_NS) // PERIOD_NS


class Caster:
    """The API of ``pyclariuscast.Caster`` of version 12 (or 11, with the switch ``version_11``)."""

    def __init__(self, *callbacks):
        self._control = Path(os.environ["CLARIUS_STAND_IN"])
        self._note("Caster", len(callbacks))
        self._note("heavy", [name for name in ("torch", "napari", "av") if name in sys.modules])
        expected = _CALLBACKS - self._is_on("version_11")
        if len(callbacks) != expected or self._is_on("other_arity"):
            raise ArgumentError(
                "Python argument types in\n    Caster.__init__("
                + ", ".join(["Caster", *(type(one).__name__ for one in callbacks)])
                + ")\ndid not match C++ signature"
            )
        if self._is_on("version_11"):
            image, raw, spectrum, freeze, buttons = callbacks
            imu = None
        else:
            image, raw, spectrum, imu, freeze, buttons = callbacks
        self._image, self._raw, self._spectrum, self._imu = image, raw, spectrum, imu
        self._freeze, self._buttons = freeze, buttons
        self._size = (0, 0)
        self._format = 0
        self._depth, self._gain = 1, 0
        self._is_connected = self._is_frozen = self._is_ended = False
        self._freeze_asked = 0

    def init(self, path, width, height):
        self._note("init", path, width, height)
        if self._is_on("init_fails") or not Path(path).is_dir():
            return False
        self._size = (width, height)
        return True

    def connect(self, ip, port, certificate):
        self._note("connect", ip, port, certificate)
        if self._is_on("hang_in_connect"):
            _sleep_for_ever()
        if self._size == (0, 0) or certificate != "research" or self._is_on("refuse"):
            return False
        self._is_connected = True
        _thread.start_new_thread(self._on_sdk_thread, ())
        return True

    def disconnect(self):
        self._note("disconnect")
        self._is_connected = False
        return True

    def isConnected(self):
        return time.monotonic_ns() % 2 == 0

    def destroy(self):
        self._note("destroy")
        if self._is_on("hang_in_destroy"):
            _sleep_for_ever()
        if self._is_on("crash_in_destroy"):
            os.abort()
        self._is_ended = True
        return True

    def setOutputSize(self, width, height):
        self._size = (width, height)
        return True

    def setFormat(self, image_format):
        self._note("setFormat", image_format)
        if image_format not in _FORMATS or self._is_on("refuse_format"):
            return False
        self._format = image_format
        return True

    def separateOverlays(self, separate):
        return True

    def userFunction(self, command, value):
        self._note("userFunction", command, value)
        if not self._is_connected or self._is_on("refuse_commands"):
            return False
        if self._is_on("network_down"):
            return True
        if command == _FREEZE:
            self._freeze_asked += 1
        elif command in (_DEPTH_LESS, _DEPTH_MORE):
            step = 1 if command == _DEPTH_MORE else -1
            self._depth = min(max(self._depth + step, 0), len(DEPTHS_MICRONS) - 1)
        elif command in (_GAIN_LESS, _GAIN_MORE):
            self._gain += 1 if command == _GAIN_MORE else -1
        return True

    def setParam(self, name, value):
        return True

    def enableParam(self, name, enabled):
        return True

    def setPulse(self, name, value):
        return True

    def _on_sdk_thread(self):
        """Stream; what a callback lets escape ends the process, as in the C++ of the SDK."""
        try:
            self._stream()
        except BaseException as error:  # noqa: BLE001  # the C++ has no exceptions to know
            self._note("escaped", repr(error))
            os.abort()

    def _stream(self):
        number = 0
        while self._is_connected and not self._is_ended:
            time.sleep(PERIOD_NS / 1e9)
            self._do_once()
            if self._freeze_asked:
                self._freeze_asked -= 1
                self._is_frozen = not self._is_frozen
                self._freeze(self._is_frozen)
            number += 1
            if self._is_on("network_down"):
                continue
            if self._is_on("imu") and self._imu is not None:
                self._imu([ImuPoint(FIRST_TIMESTAMP_NS + number * PERIOD_NS + 1)])
            if not self._is_frozen:
                self._show(number)

    def _show(self, number):
        width, height = self._size
        if self._is_on("twice_as_large"):
            width, height = 2 * width, 2 * height
        data = self._encoded(expected_grey(number, height, width, self._gain))
        buffer = bytearray(data)
        timestamp_ns = FIRST_TIMESTAMP_NS + number * PERIOD_NS
        imu = [ImuPoint(timestamp_ns)] if self._is_on("imu") else []
        announced = len(buffer) + 1 if self._is_on("wrong_size") else len(buffer)
        image = memoryview(buffer)
        arguments = [image, width, height, announced, DEPTHS_MICRONS[self._depth], timestamp_ns]
        self._image(*arguments, 0.0, imu)
        buffer[:] = b"\xa5" * len(buffer)
        self._raw(image, 128, 512, 8, 50.0, 300.0, timestamp_ns, 0, 0, 0.0)

    def _encoded(self, grey):
        height, width = grey.shape
        if self._format == 1:
            return grey.tobytes()
        top, left, bottom, right = borders(height, width)
        bgra = np.repeat(grey[..., None], 4, axis=2)
        bgra[top : top + 4, left : left + 4, :3] = RED_BGR
        bgra[..., 3] = 0
        bgra[top:bottom, left:right, 3] = 255
        if self._format == 0:
            return bgra.tobytes()
        file = io.BytesIO()
        picture = Image.fromarray(bgra[..., 2::-1].copy())
        picture.save(file, _FORMATS[self._format], quality=95)
        return file.getvalue()

    def _do_once(self):
        """Do what a file in the control folder asks for, and remove the file first."""
        for order in ("abort", "exit", "button", "freeze", "handle", "hold_interpreter"):
            path = self._control / order
            if not path.exists():
                continue
            path.unlink()
            self._note("order", order)
            if order == "abort":
                os.abort()
            elif order == "exit":
                os._exit(3)
            elif order == "button":
                self._buttons(0, 2)
            elif order == "handle":
                self._buttons(2, 1)
            elif order == "freeze":
                self._freeze_asked += 1
            else:
                _hold_interpreter()

    def _is_on(self, switch):
        return (self._control / switch).exists()

    def _note(self, *what):
        with (self._control / "calls").open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()} {' '.join(map(str, what))}\n")


def _sleep_for_ever():
    while True:
        time.sleep(1)


def _hold_interpreter():
    """Sleep in C without giving the interpreter to any other thread, as a deadlock would."""
    if sys.platform == "win32":
        ctypes.PyDLL("kernel32").Sleep(3_600_000)
    else:
        ctypes.PyDLL(None).sleep(3600)
