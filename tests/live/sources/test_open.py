import pytest

from fakes.files import noise, steps, write_video
from fakes.streams import HandSource
from sonotempo.errors import RecordingError, SonotempoError, SourceError
from sonotempo.io.writers import write_sequence
from sonotempo.live.sources.clarius.source import ClariusSource
from sonotempo.live.sources.open import SOURCES, buffer_for, kind_of, open_source
from sonotempo.live.sources.playback import PlaybackSource
from sonotempo.live.sources.separate import SeparateSource
from sonotempo.live.sources.simulated import SimulatedSource


@pytest.fixture
def folder(tmp_path):
    import numpy as np

    folder = tmp_path / "anna" / "one"
    times_ns = np.arange(4) * 50_000_000
    write_sequence(folder, "us", noise(4, 30, 40), None, spacing_mm=None, timestamps_ns=times_ns)
    return folder


def test_a_path_is_played_back(folder):
    source = open_source(str(folder), rate=2.0, loop=True)
    assert isinstance(source, PlaybackSource)
    assert (source.rate, source.loop, len(source.recording)) == (2.0, True, 4)
    assert source.state == "stopped"


def test_a_video_is_played_back(tmp_path):
    path = write_video(tmp_path / "cine.mp4", steps(3))
    assert isinstance(open_source(str(path)), PlaybackSource)


@pytest.mark.parametrize("text", ["clarius://192.168.1.1:5828", "clarius://192.168.1.1"])
def test_an_address_is_a_probe(text, tmp_path):
    assert isinstance(open_source(text, sdk=tmp_path), ClariusSource)


@pytest.mark.parametrize("text", ["phantom://axillary", "phantom://femoral?seed=3"])
def test_a_phantom_is_simulated(text):
    source = open_source(text)
    assert isinstance(source, SeparateSource)
    assert source.buffer_size() == SimulatedSource("axillary").buffer_size()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clarios://192.168.1.1", "did you mean 'clarius'"),
        ("clarios://192.168.1.1", "Options: phantom, clarius"),
        ("://192.168.1.1", "a file or folder, clarius://192.168.1.1:5828"),
        ("clarius://", "expected the probe's address"),
        ("clarius://192.168.1.1:0", "port from 1 to 65535"),
        ("clarius://192.168.1.1:probe", "is not a valid address"),
        ("clarius://192.168.1.1:99999", "is not a valid address"),
        ("clarius://192.168.1.1?port=5828", "unknown option"),
        ("phantom://axilary", "did you mean 'axillary'"),
        ("phantom://axillary?sed=3", "did you mean 'seed'"),
        ("phantom://axillary?seed=x", "expected a whole number"),
        ("phantom://axillary?seed=", "expected a whole number"),
    ],
)
def test_a_source_that_cannot_be_is_refused_in_one_sentence(text, words):
    with pytest.raises(SonotempoError) as refusal:
        open_source(text)
    assert words in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def test_each_kind_is_what_its_own_example_names():
    assert len({kind.title for kind in SOURCES}) == len(SOURCES)
    for kind in SOURCES:
        assert kind_of(kind.example) is kind


def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RecordingError, match="does not exist"):
        open_source(str(tmp_path / "nowhere.mp4"))


def test_a_rate_of_nothing_is_refused(folder):
    with pytest.raises(SourceError, match="rate"):
        open_source(str(folder), rate=0)


def test_the_buffer_fits_a_recordings_frames_and_rate(folder):
    with buffer_for(open_source(str(folder), rate=2.0), seconds=3) as buffer:
        handle = buffer.handle
    assert (handle.height_px, handle.width_px) == (30, 40)
    assert handle.capacity == 120


def test_the_buffer_fits_a_simulations_frames():
    with buffer_for(open_source("phantom://axillary"), seconds=1) as buffer:
        handle = buffer.handle
    assert (handle.height_px, handle.width_px, handle.capacity) == (480, 640, 30)


def test_the_buffer_of_a_live_source_has_the_default_size():
    with buffer_for(HandSource(), seconds=0.1) as buffer:
        handle = buffer.handle
    assert (handle.height_px, handle.width_px, handle.capacity) == (1024, 1024, 3)
