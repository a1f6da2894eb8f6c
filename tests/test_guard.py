"""Any error becomes one short sentence, and requests to stop pass."""

import struct
import zlib

import pytest

from sonotempo.errors import ConfigError, RecordingError
from sonotempo.guard import guarded, shown


@pytest.mark.parametrize(
    "error",
    [
        RecursionError("maximum recursion depth exceeded"),
        MemoryError(),
        OverflowError("Python int too large to convert to C long"),
        zlib.error("Error -3 while decompressing data"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        struct.error("unpack requires a buffer of 4 bytes"),
        KeyError("sizes"),
        AssertionError(),
        ZeroDivisionError("division by zero"),
        ValueError("x" * 100_000),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_error_becomes_a_short_sentence_with_its_cause(error):
    with (
        pytest.raises(RecordingError, match=r"a\.dcm cannot be read \(.+\); copy it") as caught,
        guarded("a.dcm cannot be read", "copy it", RecordingError),
    ):
        raise error
    assert caught.value.__cause__ is error
    assert len(str(caught.value)) < 300


def test_a_sentence_passes_as_it_is():
    with (
        pytest.raises(ConfigError, match=r"^the cause$"),
        guarded("a", "b", RecordingError),
    ):
        raise ConfigError("the cause")


@pytest.mark.parametrize("request_to_stop", [KeyboardInterrupt, SystemExit])
def test_requests_to_stop_pass(request_to_stop):
    with pytest.raises(request_to_stop), guarded("a", "b", RecordingError):
        raise request_to_stop


def test_a_value_is_shown_in_short_however_deep_it_is():
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert len(shown(deep)) < 100
    assert len(shown({str(i): "x" * 1000 for i in range(1000)})) < 400
