"""Images from a real OpenIGTLink peer over loopback, and peers that misbehave."""

import socket
import struct
import threading

import numpy as np
import pytest

from fakes.clarius import wait_until
from sonotempo.errors import SourceError
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.igtl import source as source_module
from sonotempo.live.igtl.source import IgtlSource
from sonotempo.live.sources.address import parse_address
from sonotempo.live.sources.open import open_source

messages = pytest.importorskip("pyigtl.messages")
SHAPE = (60, 80)


class Server:
    """A peer that accepts connections and sends what it is given, packed by pyigtl."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.peer = None

    def accept(self):
        self.listener.settimeout(20)
        self.peer, _ = self.listener.accept()

    def send(self, *what):
        for one in what:
            self.peer.sendall(one if isinstance(one, bytes) else one.pack())

    def drop(self):
        if self.peer is not None:
            self.peer.close()
            self.peer = None

    def close(self):
        self.drop()
        self.listener.close()


@pytest.fixture
def server():
    one = Server()
    yield one
    one.close()


@pytest.fixture
def buffer():
    with RingBuffer(4, 30, *SHAPE) as made:
        yield made


@pytest.fixture
def connected(server, buffer, monkeypatch):
    monkeypatch.setattr(source_module, "_AGAIN_S", 0.05)
    source = IgtlSource("127.0.0.1", server.port)
    source.start(buffer)
    server.accept()
    with buffer.reader() as reader:
        yield source, reader
    source.stop()


def image(value=7, shape=SHAPE, device="Image_Probe", spacing=(0.1, 0.2), at=12.5, **more):
    row, column = spacing
    pixels = np.full((1, *shape), value, np.uint8)
    matrix = np.diag((column, row, 1.0, 1.0))
    return messages.ImageMessage(
        more.get("pixels", pixels), ijk_to_world_matrix=matrix, timestamp=at, device_name=device
    )


def heard(source, log):
    log += [(event.kind, event.detail) for event in source.events()]
    return log


def test_pixels_spacing_and_times_arrive(server, connected):
    source, reader = connected
    ramp = np.arange(np.prod(SHAPE), dtype=np.int64).reshape(1, *SHAPE).astype(np.uint8)
    server.send(messages.TransformMessage(device_name="ProbeToTracker"), image(pixels=ramp))
    wait_until(lambda: reader.written == 1, "the image")
    frame = reader.newest().frame
    np.testing.assert_array_equal(frame.image_HW, ramp[0])
    assert frame.spacing_mm == pytest.approx((0.1, 0.2), abs=1e-5)
    assert frame.timestamp_ns == pytest.approx(12.5e9, abs=1000)
    assert source.state == "running"


def test_a_turned_probe_has_the_spacing_of_its_axes(server, connected):
    _, reader = connected
    angle = 0.7
    matrix = np.eye(4)
    matrix[:3, 0] = 0.2 * np.array((np.cos(angle), np.sin(angle), 0))
    matrix[:3, 1] = 0.1 * np.array((0, 0, 1))
    turned = messages.ImageMessage(
        np.zeros((1, *SHAPE), np.uint8) + 9, ijk_to_world_matrix=matrix, device_name="Image"
    )
    server.send(turned)
    wait_until(lambda: reader.written == 1, "the image")
    assert reader.newest().frame.spacing_mm == pytest.approx((0.1, 0.2), abs=1e-5)


def test_colour_becomes_grey_and_pixels_of_1_mm_are_not_believed(server, connected):
    _, reader = connected
    colours = np.zeros((1, *SHAPE, 3), np.uint8)
    colours[..., 1] = 100
    server.send(image(pixels=colours, spacing=(1.0, 1.0)))
    wait_until(lambda: reader.written == 1, "the image")
    frame = reader.newest().frame
    assert frame.image_HW.min() == frame.image_HW.max() == 59
    assert frame.spacing_mm is None


def test_one_stream_of_several_is_taken(server, buffer):
    source = open_source(f"igtl://127.0.0.1:{server.port}/Image_Probe")
    source.start(buffer)
    try:
        server.accept()
        server.send(image(1, device="Other"), image(2), image(3, device="Other"))
        with buffer.reader() as reader:
            wait_until(lambda: reader.written == 1, "the image")
            assert reader.newest().frame.image_HW[0, 0] == 2
    finally:
        source.stop()


def test_a_lost_peer_is_an_event_and_comes_back(server, connected):
    source, reader = connected
    log = []
    server.send(image())
    wait_until(lambda: reader.written == 1, "the image")
    server.drop()
    wait_until(lambda: "disconnected" in dict(heard(source, log)), "the event")
    server.accept()
    server.send(image(8))
    wait_until(lambda: reader.written == 2, "the next image")
    kinds = [kind for kind, _ in heard(source, log)]
    assert kinds.count("connected") == 2
    assert source.state == "running"


def test_a_peer_that_falls_silent_is_frozen_and_names_what_it_sends(server, buffer, monkeypatch):
    monkeypatch.setattr(source_module, "_QUIET_S", 0.2)
    source = IgtlSource("127.0.0.1", server.port, "Image_Probe")
    source.start(buffer)
    log = []
    try:
        server.accept()
        server.send(image(device="Image_Reference"))
        wait_until(lambda: "frozen" in dict(heard(source, log)), "the event")
        assert "it sends Image_Reference" in dict(log)["frozen"]
        server.send(image())
        wait_until(lambda: source.state == "running", "the image")
    finally:
        source.stop()


HUGE = struct.pack("> H 12s 20s II Q Q", 1, b"IMAGE", b"Image", 0, 0, 100_000_000, 0)
SHORT = struct.pack("> H 12s 20s II Q Q", 1, b"IMAGE", b"Image", 0, 0, 8, 0) + b"x" * 8


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: everything\r\n\r\n" * 2, "something else"),
        (bytes(range(128, 186)), "something else"),
        (HUGE, "a message of 100 MB, more than the 64 MB"),
        (SHORT, "an image of Image is damaged"),
        (image(pixels=np.zeros((1, *SHAPE), np.float32)), "float32 images of 1x60x80 voxels"),
        (image(pixels=np.zeros((3, *SHAPE), np.uint8)), "uint8 images of 3x60x80"),
        (image(shape=(200, 300)), "200x300 pixels .* do not fit the buffer"),
    ],
)
def test_what_is_no_image_is_a_sentence_and_the_stream_recovers(server, connected, sent, said):
    source, reader = connected
    log = []
    server.send(sent)
    wait_until(lambda: "disconnected" in dict(heard(source, log)), "the event")
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(dict(log)["disconnected"])
    server.drop()
    server.accept()
    server.send(image())
    wait_until(lambda: reader.written == 1, "the next image")


def test_a_server_that_is_not_there_is_tried_again(server, buffer, monkeypatch):
    monkeypatch.setattr(source_module, "_AGAIN_S", 0.05)
    port = server.port
    server.listener.close()
    source = IgtlSource("127.0.0.1", port)
    source.start(buffer)
    log = []
    try:
        wait_until(lambda: "disconnected" in dict(heard(source, log)), "the event")
        assert "is not there" in log[-1][1]
        server.listener = socket.create_server(("127.0.0.1", port))
        server.accept()
        wait_until(lambda: "connected" in dict(heard(source, log)), "the connection")
        assert sum(kind == "disconnected" for kind, _ in log) == 1, "said once"
    finally:
        source.stop()
    assert not [one for one in threading.enumerate() if "OpenIGTLink" in one.name]


def test_bad_addresses_are_sentences():
    with pytest.raises(SourceError, match="names no server; expected igtl://HOST"):
        IgtlSource.open(parse_address("igtl://"))
    with pytest.raises(SourceError, match="unknown option"):
        IgtlSource.open(parse_address("igtl://localhost?device=x"))
