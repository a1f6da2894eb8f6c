"""Measure how fast frames are simulated, and whether memory grows with their number.

    .venv/bin/python scripts/bench_phantom.py [--frames 300] [--size 256]

One process, single-threaded; the goal is 60 frames per second at 256×256 on two cores. Memory is
the largest resident size of the process after a tenth of the frames and after all of them.
"""

import argparse
import platform
import time
from itertools import islice

from _measure import peak_memory, verdict
from sonotempo.phantom.scanners import SCANNERS
from sonotempo.phantom.settings import PhantomConfig, Procedure
from sonotempo.phantom.simulate import cast, simulate

TARGET_HZ = 60.0
MOST_GROWTH_MIB = 8.0
WARM_UP = 5


def main() -> None:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(description="Measure the speed of the simulation.")
    parser.add_argument("--frames", type=int, default=300, help="for each procedure and scanner")
    parser.add_argument("--size", type=int, default=256, help="side of the frames in pixels")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, {arguments.size} px")
    print("procedure  scanner     depth  first frame   frames/s  peak MiB after 10 % and all")
    slowest = float("inf")
    growth = 0.0
    procedures: tuple[Procedure, ...] = ("axillary", "femoral")
    for procedure in procedures:
        for number, scanner in enumerate(SCANNERS):
            settings = PhantomConfig(procedure=procedure, size=arguments.size, event_rate=0)
            start = cast(settings, number)
            began = time.perf_counter()
            frames = simulate(start, settings)
            next(frames)
            first = time.perf_counter() - began
            for _ in islice(frames, WARM_UP):
                pass
            peaks = []
            began = time.perf_counter()
            for count in (arguments.frames // 10, arguments.frames - arguments.frames // 10):
                for _ in islice(frames, count):
                    pass
                peaks.append(peak_memory() / 2**20)
            rate = arguments.frames / (time.perf_counter() - began)
            slowest, growth = min(slowest, rate), max(growth, peaks[1] - peaks[0])
            print(
                f"{procedure:<10} {scanner.name:<11} {start.depth_cm:>3} cm "
                f"{first:>9.2f} s {rate:>10.1f} {peaks[0]:>10.0f} {peaks[1]:>8.0f}"
            )
    print(f"slowest {slowest:.1f} frames/s: {verdict(slowest >= TARGET_HZ)} (at least 60)")
    print(f"growth {growth:.1f} MiB: {verdict(growth <= MOST_GROWTH_MIB)} (at most 8)")


if __name__ == "__main__":
    main()
