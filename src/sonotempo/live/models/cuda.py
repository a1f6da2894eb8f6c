"""Whether a CUDA GPU can be used here, and how ONNX Runtime computes on it."""

import ctypes
import logging
import sys
from functools import cache

import onnxruntime


@cache
def has_cuda() -> bool:
    """Whether ONNX Runtime can compute on a CUDA GPU here.

    Its list of providers names what it was built with, not what works. So this asks the driver for
    a device and loads a tiny graph.
    """
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return False
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return False
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # finds the CUDA libraries that other packages installed
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            _IDENTITY, options, providers=["CUDAExecutionProvider", "CPUExecutionProvider"]
        )
    except Exception as error:  # noqa: BLE001  (no common base class; each means that it is unavailable)
        logging.getLogger(__name__).warning("ONNX Runtime cannot use the CUDA GPU: %s", error)
        return False
    if "CUDAExecutionProvider" not in session.get_providers():
        logging.getLogger(__name__).warning(
            "ONNX Runtime cannot use the CUDA GPU of this machine: it needs CUDA 13 and cuDNN 9"
        )
        return False
    return True


# The smallest ONNX model: one Identity from x to y, one float each (IR version 8, opset 13).
_IDENTITY = (
    b'\x08\x08:7\n\x10\n\x01x\x12\x01y"\x08Identity\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12'
    b"\x04\n\x02\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\r"
)
