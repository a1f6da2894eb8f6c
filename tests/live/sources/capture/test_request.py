"""What a capture address asks for, and what is refused before anything is opened."""

import pytest

from sonotempo.errors import SourceError
from sonotempo.live.sources.address import parse_address
from sonotempo.live.sources.capture import request as module
from sonotempo.live.sources.capture.devices import Device, device_format
from sonotempo.live.sources.capture.request import capture_request
from sonotempo.recording import Box

CARD = Device(2, "USB Video", "/dev/video2")


@pytest.fixture(autouse=True)
def one_card(monkeypatch):
    monkeypatch.setattr(module, "devices", lambda platform: (CARD,))
    monkeypatch.setenv("DISPLAY", ":7")


def asked(text, platform="linux"):
    return capture_request(parse_address(text), platform)


def test_a_card_is_opened_as_its_platform_does():
    one = asked("capture://2?size=1920x1080&fps=25")
    assert (one.url, one.format) == ("/dev/video2", "v4l2")
    assert one.options == {"video_size": "1920x1080", "framerate": "25"}
    assert (one.width_px, one.height_px, one.rate_hz) == (1920, 1080, 25)
    assert "USB Video" in one.title
    assert asked("capture://2", "win32").format == "dshow"
    assert asked("capture://2", "darwin").format == "avfoundation"


def test_a_screen_or_a_part_of_it():
    whole = asked("capture://screen?size=800x600")
    assert (whole.url, whole.format) == (":7.0+0,0", "x11grab")
    part = asked("capture://screen?display=:3.1&region=40,30,321x200")
    assert part.url == ":3.1+40,30"
    assert part.options["video_size"] == "320x200", "encoders of screens want even sizes"
    assert (part.width_px, part.height_px) == (320, 200)
    windows = asked("capture://screen?region=40,30,320x200", "win32")
    assert (windows.url, windows.options["offset_x"]) == ("desktop", "40")


def test_what_pixels_are():
    one = asked("capture://test?size=640x480&area=10,20,410,620&depth-mm=40")
    assert one.area == Box(10, 20, 410, 620)
    assert one.depth_mm == 40
    assert asked("capture://test?mm-per-px=0.1").mm_per_px == 0.1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("capture://9", r"no capture device 9; this machine has: 2 \(USB Video\)"),
        ("capture://webcam", "names no device; expected capture://0"),
        ("capture://", "names no device"),
        ("capture://2?sise=10x10", "did you mean 'size'"),
        ("capture://2?size=big", "size=big is not valid; expected WIDTHxHEIGHT"),
        ("capture://2?fps=0", "fps=0 is not valid; expected a number from 1 to 120"),
        ("capture://2?fps=nan", "fps=nan is not valid"),
        ("capture://screen?region=1,2", "region=1,2 is not valid; expected LEFT,TOP"),
        ("capture://2?area=5,5,5,9", "area=5,5,5,9 is not valid; expected TOP,LEFT"),
        ("capture://2?area=0,0,9999,9", "within 1280x720 pixels"),
        ("capture://2?area=a,b,c,d", "area=a,b,c,d is not valid"),
        ("capture://2?mm-per-px=0.1&depth-mm=40", "gives mm-per-px and depth-mm"),
        ("capture://2?region=0,0,80x60", "unknown option .*'region'"),
        ("capture://screen?pattern=red", "unknown option .*'pattern'"),
        ("capture://2?depth-mm=4", "expected a number from 5 to 400"),
        ("capture://test?pattern=a;b", "pattern is a name"),
    ],
)
def test_bad_addresses_are_sentences(text, said):
    with pytest.raises(SourceError, match=said):
        asked(text)


def test_without_a_screen_it_says_so(monkeypatch):
    monkeypatch.delenv("DISPLAY")
    with pytest.raises(SourceError, match="DISPLAY is not set"):
        asked("capture://screen")


def test_macos_has_no_parts_of_screens():
    assert asked("capture://screen", "darwin").format == "avfoundation"
    with pytest.raises(SourceError, match="whole screens"):
        asked("capture://screen?region=0,0,80x60", "darwin")


def test_other_platforms_have_no_capture():
    with pytest.raises(SourceError, match="not supported on sunos5"):
        device_format("sunos5")
