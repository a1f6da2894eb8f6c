"""Measure what OpenIGTLink adds: latency and lost frames, in and out, over loopback.

    .venv/bin/python scripts/bench_igtl.py

A process sends images of 640x480 pixels at 30 Hz as PLUS would, with the time of sending; they go
through `igtl://` into a ring buffer. Every frame that arrives is then served by `--igtl-out`'s
server to a receiver in another process, which sends back when it had it. Both clocks are the
machine's monotonic one.
"""

import argparse
import multiprocessing
import socket
import time
from multiprocessing.connection import Connection

import numpy as np

from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.history import StepResult
from sonotempo.live.igtl.output import IgtlOutput
from sonotempo.live.igtl.source import IgtlSource
from sonotempo.live.igtl.wire import import_pyigtl, received

SHAPE, RATE_HZ = (480, 640), 30.0


def main() -> None:
    """Print latency and loss of both directions."""
    parser = argparse.ArgumentParser(description="Latency and loss of OpenIGTLink.")
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args().seconds
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    sender = spawn.Process(target=send, args=(theirs, seconds), daemon=True)
    sender.start()
    port = ours.recv()
    with RingBuffer(2, RATE_HZ, *SHAPE) as buffer, IgtlOutput(0, None) as output:
        back, end = spawn.Pipe()
        receiver = spawn.Process(target=receive, args=(output.port, end), daemon=True)
        receiver.start()
        while output.receivers == 0:
            time.sleep(0.01)
        source = IgtlSource("127.0.0.1", port)
        source.start(buffer)
        taken, offered_ns = relay(buffer, output, seconds)
        source.stop()
        output.close()
        sent_ns: dict[int, int] = ours.recv()
        received_ns: dict[int, int] = back.recv()
    report("in: sent -> in the ring buffer", sent_ns, taken)
    report("out: offered -> received", offered_ns, received_ns)


def relay(
    buffer: RingBuffer, output: IgtlOutput, seconds: float
) -> tuple[dict[int, int], dict[int, int]]:
    """Serve every frame that arrives; return when it was captured and offered, by its mark."""
    captured: dict[int, int] = {}
    offered: dict[int, int] = {}
    until = time.monotonic() + seconds + 3
    with buffer.reader() as reader:
        while time.monotonic() < until:
            streamed = reader.next()
            if streamed is None:
                reader.wait(0.05)
                continue
            mark = mark_of(streamed.frame.image_HW)
            captured[mark] = streamed.host_ns
            offered[mark] = time.monotonic_ns()
            output.publish(StepResult(streamed.frame, (), streamed.host_ns, offered[mark]))
    return captured, offered


def send(host: Connection, seconds: float) -> None:
    """Be a server: send marked images at the rate, then say when each was sent."""
    messages = import_pyigtl()
    noise = np.random.default_rng(0).integers(20, 200, (1, *SHAPE), dtype=np.uint8)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host.send(listener.getsockname()[1])
        peer, _ = listener.accept()
        sent: dict[int, int] = {}
        began = time.monotonic()
        with peer:
            for mark in range(round(seconds * RATE_HZ)):
                pixels = noise.copy()
                pixels[0, 0, :4] = np.frombuffer(mark.to_bytes(4, "big"), np.uint8)
                data = messages.ImageMessage(pixels, device_name="Image_Probe").pack()
                time.sleep(max(0.0, began + mark / RATE_HZ - time.monotonic()))
                sent[mark] = time.monotonic_ns()
                peer.sendall(data)
            time.sleep(1)
    host.send(sent)


def receive(port: int, host: Connection) -> None:
    """Be a receiver: note when each image had arrived, until the server ends."""
    found: dict[int, int] = {}
    with socket.create_connection(("127.0.0.1", port)) as peer:
        try:
            while True:
                fields, body = received(peer)
                if fields["device_name"] == "Image":
                    pixels = np.frombuffer(body, np.uint8)[72:76]
                    found[int.from_bytes(pixels.tobytes(), "big")] = time.monotonic_ns()
        except OSError:
            host.send(found)


def mark_of(image_HW: np.ndarray) -> int:
    """Return the number that the sender wrote into an image."""
    return int.from_bytes(image_HW[0, :4].tobytes(), "big")


def report(title: str, began_ns: dict[int, int], ended_ns: dict[int, int]) -> None:
    """Print latency and loss of one way."""
    took_ms = [(ended_ns[mark] - began_ns[mark]) / 1e6 for mark in began_ns if mark in ended_ns]
    lost = len(began_ns) - len(took_ms)
    p50, p95 = np.percentile(took_ms, (50, 95)) if took_ms else (np.nan, np.nan)
    print(f"{title}: p50 {p50:.1f} ms, p95 {p95:.1f} ms; {lost} of {len(began_ns)} frames lost")


if __name__ == "__main__":
    main()
