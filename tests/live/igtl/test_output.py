"""Results that a real OpenIGTLink client receives, and receivers that are slow or gone."""

import json
import socket
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from fakes.clarius import wait_until
from fakes.live_results import SHAPE_HW, result_of
from sonotempo.errors import SourceError
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.igtl.output import IgtlOutput
from sonotempo.live.igtl.source import IgtlSource
from sonotempo.live.igtl.wire import received
from sonotempo.structures import NERVE_VESSEL

pyigtl = pytest.importorskip("pyigtl")


@pytest.fixture
def output():
    with IgtlOutput(0, NERVE_VESSEL) as one:
        yield one


def numbered(number):
    result = result_of(number % 100)
    return replace(result, frame=replace(result.frame, index=number))


def test_a_client_of_pyigtl_gets_image_labels_and_their_meaning(output):
    client = pyigtl.OpenIGTLinkClient("127.0.0.1", output.port)
    try:
        wait_until(lambda: output.receivers == 1, "the client")
        result = result_of(7)
        output.publish(result)
        names = client.wait_for_message("Labels", timeout=10)
        assert json.loads(names.string) == {"1": "nerve", "2": "vessel"}
        image = client.wait_for_message("Image", timeout=10)
        np.testing.assert_array_equal(image.image[0], result.frame.image_HW)
        assert image.ijk_to_world_matrix[0, 0] == pytest.approx(0.1)
        for made in result.predictions:
            labels = client.wait_for_message(f"Labels_{made.model}", timeout=10)
            np.testing.assert_array_equal(labels.image[0], made.mask_HW())
    finally:
        client.stop()


def test_what_is_sent_can_be_a_source(output):
    source = IgtlSource("127.0.0.1", output.port, "Image")
    with RingBuffer(2, 30, *SHAPE_HW) as buffer, buffer.reader() as reader:
        source.start(buffer)
        try:
            wait_until(lambda: output.receivers == 1, "the connection")
            output.publish(result_of(3))
            wait_until(lambda: reader.written == 1, "the image")
            frame = reader.newest().frame
        finally:
            source.stop()
    np.testing.assert_array_equal(frame.image_HW, result_of(3).frame.image_HW)
    assert frame.spacing_mm == pytest.approx((0.1, 0.1), abs=1e-6)


def test_two_files_with_the_same_arm_have_two_streams(output):
    result = result_of(7)
    alike = tuple(replace(made, model="frame") for made in result.predictions)
    peer = socket.create_connection(("127.0.0.1", output.port))
    with peer:
        peer.settimeout(5)
        wait_until(lambda: output.receivers == 1, "the receiver")
        output.publish(replace(result, predictions=alike))
        names = [received(peer)[0]["device_name"] for _ in range(4)]
    assert names == ["Labels", "Image", "Labels_1_frame", "Labels_2_frame"]


def test_a_slow_receiver_holds_nobody_up_and_gets_the_newest(output):
    slow = socket.create_connection(("127.0.0.1", output.port))
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wait_until(lambda: output.receivers == 1, "the receiver")
    began = time.monotonic()
    for number in range(300):
        output.publish(numbered(number))
    assert time.monotonic() - began < 0.5, "publishing never waits"
    slow.settimeout(5)
    seen = []
    while not seen or seen[-1] != 99 + 100:  # the last frame's grey value
        fields, body = received(slow)
        if fields["device_name"] == "Image":
            seen.append(body[72])
    assert len(seen) < 300, "it missed some"
    slow.close()


def test_receivers_that_leave_are_forgotten_and_nothing_is_left(output):
    for _ in range(3):
        socket.create_connection(("127.0.0.1", output.port)).close()
    wait_until(lambda: output.receivers == 0, "their end")
    output.publish(result_of(1))  # to nobody
    output.close()
    output.close()
    assert not [one for one in threading.enumerate() if "igtl" in one.name]


def test_a_port_that_is_taken_is_a_sentence(output):
    with pytest.raises(SourceError, match=rf"127.0.0.1:{output.port} .*choose another port"):
        IgtlOutput(output.port, NERVE_VESSEL)
