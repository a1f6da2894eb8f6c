import numpy as np
import pytest

from fakes.clarius_sdk import pyclariuscast
from fakes.clarius_sdk.pyclariuscast import ImuPoint
from sonotempo.errors import SourceError
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.sources.clarius.callbacks import CastCallbacks
from sonotempo.live.sources.clarius.child import make_caster

GREY = bytes(range(48))
# How many arguments the SDK gives each callback.
ARGUMENTS = {
    "new_processed_image": 8,
    "new_raw_image": 10,
    "new_spectrum_image": 8,
    "new_imu_data": 1,
    "freeze": 1,
    "button": 2,
}


class Said:
    """An outbox that keeps what is put into it."""

    def __init__(self):
        self.messages = []

    def send(self, kind, detail="", *, host_ns=None, received=None):
        self.messages.append((kind, detail))


@pytest.fixture
def told():
    """Open callbacks, a reader of what they write, and what they say."""
    with RingBuffer(1, 4, 8, 8) as buffer, buffer.writer() as writer, buffer.reader() as reader:
        said = Said()
        callbacks = CastCallbacks(writer, said)
        callbacks.gate = "open"
        yield callbacks, reader, said.messages


def test_an_image_becomes_a_frame_with_time_and_spacing(told):
    callbacks, reader, messages = told
    callbacks.new_processed_image(GREY, 8, 6, 48, 80.0, 123, 0.0, [])
    frame = reader.next().frame
    np.testing.assert_array_equal(frame.image_HW, np.arange(48, dtype=np.uint8).reshape(6, 8))
    assert (frame.timestamp_ns, frame.spacing_mm) == (123, pytest.approx((0.08, 0.08)))
    assert messages == []


@pytest.mark.parametrize("microns", [0.0, -1.0, float("nan"), float("inf")])
def test_a_spacing_that_is_none_is_unknown(told, microns):
    callbacks, reader, _ = told
    callbacks.new_processed_image(GREY, 8, 6, 48, microns, 0, 0.0, [])
    assert reader.next().frame.spacing_mm is None


def test_before_the_host_is_ready_images_are_counted_only(told):
    callbacks, reader, _ = told
    callbacks.gate = "shut"
    callbacks.new_processed_image(GREY, 8, 6, 48, 80.0, 5, 0.0, [])
    assert reader.written == 0
    assert (callbacks.received.images, callbacks.received.image_ns) == (1, 5)


def test_the_first_image_of_a_connection_is_told_and_none_is_written_before_the_answer(told):
    callbacks, reader, messages = told
    callbacks.gate = "connected"
    for _ in range(3):
        callbacks.new_processed_image(GREY, 8, 6, 48, 80.0, 5, 0.0, [])
    assert messages == [("arriving", "")]
    assert reader.written == 0
    callbacks.gate = "open"
    callbacks.new_processed_image(GREY, 8, 6, 48, 80.0, 5, 0.0, [])
    assert reader.written == 1


def test_a_change_of_spacing_is_said_once(told):
    callbacks, _, messages = told
    for microns in (80.0, 80.0, 100.0, 100.0):
        callbacks.new_processed_image(GREY, 8, 6, 48, microns, 0, 0.0, [])
    assert messages == [("depth", "0.0800 to 0.1000 mm per pixel")]


@pytest.mark.parametrize(("name", "arguments"), ARGUMENTS.items())
def test_no_callback_lets_an_exception_escape(told, name, arguments):
    callbacks, _, messages = told

    class Broken:
        def __bool__(self):
            raise KeyboardInterrupt

        def __index__(self):
            raise SystemExit

        __float__ = __int__ = __len__ = __iter__ = __index__

    getattr(callbacks, name)(*[Broken()] * arguments)
    if name not in ("new_raw_image", "new_spectrum_image"):
        assert [kind for kind, _ in messages] == ["error"]
        assert messages[0][1].startswith(f"{name}: ")
        assert callbacks.received.errors == 1


def test_the_six_callbacks_come_in_the_sdks_order(told):
    assert [one.__name__ for one in told[0].all()] == list(ARGUMENTS)


def test_a_wrong_number_of_arguments_does_not_escape_either(told):
    callbacks, _, messages = told
    callbacks.button()
    callbacks.new_processed_image(GREY)
    assert [kind for kind, _ in messages] == ["error", "error"]


def test_the_same_failure_is_not_said_for_every_frame(told):
    callbacks, _, messages = told
    for _ in range(50):
        callbacks.new_processed_image(GREY, 8, 7, 48, 80.0, 0, 0.0, [])
    assert len(messages) == 1
    assert callbacks.received.errors == 50


def test_an_image_beyond_the_buffer_is_an_error_in_words(told):
    callbacks, reader, messages = told
    callbacks.new_processed_image(bytes(16 * 16), 16, 16, 256, 80.0, 0, 0.0, [])
    assert "does not fit the buffer's 8x8" in messages[0][1]
    assert reader.written == 0


def test_everything_that_comes_is_counted_with_the_sensors_time(told):
    callbacks, _, _ = told
    callbacks.new_raw_image(b"", 1, 1, 8, 1.0, 1.0, 0, 0, 0, 0.0)
    callbacks.new_spectrum_image(b"", 1, 1, 8, 1.0, 1.0, 1.0, 0)
    callbacks.new_imu_data([ImuPoint(3), ImuPoint(4)])
    callbacks.new_processed_image(GREY, 8, 6, 48, 80.0, 9, 0.0, [ImuPoint(8)])
    callbacks.new_imu_data([])
    got = callbacks.received
    assert (got.raw_images, got.spectra, got.images) == (1, 1, 1)
    assert (got.imu_points, got.imu_ns, got.image_ns) == (3, 8, 9)


def test_freezing_and_buttons_are_said_in_words(told):
    callbacks, _, messages = told
    callbacks.freeze(True)
    callbacks.freeze(0)
    callbacks.button(0, 1)
    callbacks.button(1, 2)
    callbacks.button(2, 1)
    callbacks.button(7, 1)
    assert messages == [
        ("frozen", ""),
        ("running", ""),
        ("button", "up, 1 click"),
        ("button", "down, 2 clicks"),
        ("button", "handle, 1 click"),
        ("button", "number 7, 1 click"),
    ]


@pytest.mark.parametrize("switch", ["", "version_11", "other_arity"])
def test_six_callbacks_are_given_or_five_to_the_version_before(told, tmp_path, monkeypatch, switch):
    monkeypatch.setenv("CLARIUS_STAND_IN", str(tmp_path))
    if switch:
        (tmp_path / switch).touch()
    if switch == "other_arity":
        with pytest.raises(SourceError, match="other callbacks than Cast 11 and 12"):
            make_caster(pyclariuscast, told[0])
    else:
        assert make_caster(pyclariuscast, told[0]).init(str(tmp_path), 8, 8)
