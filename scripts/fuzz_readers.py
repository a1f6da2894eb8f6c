"""Damage a small file of each format in thousands of ways, and count what opening it ends in.

    .venv/bin/python scripts/fuzz_readers.py [--count 2000] [--formats DICOM GIF …] [--keep FOLDER]

A mutant has flipped bits, is cut, holds blocks that are moved, or numbers in its header that are
negative, huge or not numbers. It is opened, and every frame and mask is read, in a child process
with limits on its memory and on the time of each mutant. It is `opened`, `refused` with a sentence
that names it, refused for lack of `memory` (a budget that is missing), `unnamed`, or `raw` (any
other exception); a child that dies is a `crash`, one that does not end a `hang`. The exit status is
1 if any mutant is of the last five kinds. `--keep` stores those. Needs Linux or macOS.
"""

import argparse
import contextlib
import logging
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from _seed_files import SEEDS, Seed, write_seed
from sonotempo.errors import SonotempoError
from sonotempo.io import open_recording

OUTCOMES = ("opened", "refused", "memory", "unnamed", "raw", "crash", "hang")
BAD = frozenset(OUTCOMES[2:])
_BATCH = 100
_POLL_S = 0.02
_MOST_FRAMES = 50
_NUMBERS = (
    "0",
    "-1",
    "-3",
    "1e308",
    "-1e308",
    "nan",
    "inf",
    "30000000",
    "2147483647",
    "4294967296",
    "9223372036854775807",
    "99999999999999999999999999",
    "1e-320",
    "",
    "x",
    "9" * 5000,
)
_WORDS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_INSERTED = (b"\0", b"\xff" * 16, b"../../../etc/passwd", b"[" * 3000, b"\n", b"%s%n", b"\xc3\x28")


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one child process."""

    seconds: float = 20.0
    memory_mb: int = 1536


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Count what damaged files of each format end in.")
    parser.add_argument("--count", type=int, default=2000, help="mutants a format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="*", default=list(SEEDS), choices=list(SEEDS))
    parser.add_argument("--seconds", type=float, default=20.0, help="for one mutant")
    parser.add_argument("--memory-mb", type=int, default=1536, help="beyond what is in use")
    parser.add_argument("--keep", type=Path, help="folder for the mutants that end badly")
    options = parser.parse_args()
    limits = Limits(options.seconds, options.memory_mb)
    sys.exit(report(options.formats, options.count, options.seed, limits, options.keep))


def report(
    formats: Sequence[str], count: int, seed: int, limits: Limits, keep: Path | None = None
) -> int:
    """Fuzz formats and print the table; return 1 if anything ended badly."""
    console = Console(width=120, soft_wrap=True)
    table = Table(box=None)
    table.add_column("format")
    for title in ("mutants", *OUTCOMES, "s"):
        table.add_column(title, justify="right")
    total: Counter[str] = Counter()
    details: list[str] = []
    for name in formats:
        began = time.perf_counter()
        counts: Counter[str] = Counter()
        for index, outcome, words in fuzz(name, count, seed, limits, keep):
            counts[outcome] += 1
            if outcome in BAD:
                details.append(f"{name}, mutant {index}: {outcome}: {words}")
        total += counts
        row = [str(counts[outcome]) for outcome in OUTCOMES]
        table.add_row(name, str(count), *row, f"{time.perf_counter() - began:.0f}")
    table.add_row("all", str(total.total()), *(str(total[outcome]) for outcome in OUTCOMES))
    console.print(table)
    for line in details[:50]:
        console.print(line, markup=False, highlight=False)
    return int(bool(details))


def fuzz(
    name: str, count: int, seed: int, limits: Limits, keep: Path | None = None
) -> Iterator[tuple[int, str, str]]:
    """Yield the number, the outcome and the words of each mutant of a format."""
    with tempfile.TemporaryDirectory() as place:
        sound = Path(place) / "sound"
        sound.mkdir()
        seeds = write_seed(name, sound)
        begin = 0
        while begin < count:
            end = min(begin + _BATCH, count)
            for index, outcome, words in _batch(name, (sound, seeds), (begin, end), seed, limits):
                if keep is not None and outcome in BAD:
                    kept = keep / f"{name.replace(' ', '-')}-{index}"
                    write_mutant(sound, seeds, kept, random.Random(f"{seed}-{name}-{index}"))
                yield index, outcome, words
                begin = index + 1


def _batch(
    name: str, sound: tuple[Path, Seed], span: tuple[int, int], seed: int, limits: Limits
) -> Iterator[tuple[int, str, str]]:
    """Run mutants in one child until it ends, crashes or hangs."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        code = 1
        try:
            _limit_memory(limits.memory_mb)
            _run(name, sound, span, seed, write_end)
            code = 0
        finally:
            os._exit(code)
    os.close(write_end)
    os.set_blocking(read_end, False)
    received, last, index = b"", time.monotonic(), span[0]
    try:
        while True:
            try:
                piece = os.read(read_end, 1 << 16)
            except BlockingIOError:
                if time.monotonic() - last > limits.seconds:
                    os.kill(child, signal.SIGKILL)
                    yield index, "hang", f"more than {limits.seconds:g} s"
                    return
                time.sleep(_POLL_S)
                continue
            received += piece
            *lines, received = received.split(b"\n")
            for line in lines:
                outcome, _, words = line.decode(errors="replace").partition("\t")
                yield index, outcome, words
                index, last = index + 1, time.monotonic()
            if not piece:
                break
    finally:
        os.close(read_end)
        status = os.waitpid(child, 0)[1]
    if index < span[1]:
        yield index, "crash", _ending(status)


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exit code {os.WEXITSTATUS(status)}"


def _run(
    name: str, sound: tuple[Path, Seed], span: tuple[int, int], seed: int, report_to: int
) -> None:
    """Write, open and read each mutant of a span, and report one line each."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)  # what native decoders print
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    folder, seeds = sound
    # Here and not before: a decoder's threads do not survive that a process forks.
    said = outcome_of(folder / seeds.opened)
    if said[0] != "opened":
        os.write(report_to, f"raw\tthe sound file is {said[0]}: {said[1]}\n".encode())
        return
    for index in range(*span):
        with tempfile.TemporaryDirectory(dir=folder.parent) as place:
            write_mutant(folder, seeds, Path(place), random.Random(f"{seed}-{name}-{index}"))
            outcome, words = outcome_of(Path(place) / seeds.opened)
        os.write(report_to, f"{outcome}\t{' '.join(words.split())[:400]}\n".encode())


def outcome_of(path: Path) -> tuple[str, str]:
    """Open and read a recording; return the outcome, and what was said."""
    try:
        recording = open_recording(path)
        for index in range(min(len(recording), _MOST_FRAMES)):
            _ = recording[index].image_HW.sum(), recording.mask(index)
    except SonotempoError as error:
        said = str(error)
        if "more memory than there is" in said:
            return "memory", said
        if str(path) not in said and str(path.parent) not in said:
            return "unnamed", said
        return "refused", said
    except Exception as error:  # noqa: BLE001  # this is what is looked for
        return "raw", f"{type(error).__name__}: {error}"
    return "opened", ""


def write_mutant(sound: Path, seed: Seed, target: Path, chance: random.Random) -> None:
    """Copy a seed's folder and damage one of its files."""
    shutil.copytree(sound, target, dirs_exist_ok=True)
    path = target / chance.choice(seed.damaged)
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        chance.choice(MUTATIONS)(content, chance)
    if path.suffix == ".png" and chance.random() < 0.7:
        content = _with_sums(content)  # else the sum of a chunk hides everything behind it
    path.write_bytes(content)


def _place(content: bytearray, chance: random.Random) -> int:
    """Return a position, more often near the beginning, where headers are."""
    size = max(1, len(content))
    return chance.randrange(min(size, chance.choice((64, 512, size, size))))


def _flip(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 8))):
        if content:
            content[_place(content, chance)] ^= 1 << chance.randrange(8)


def _set_word(content: bytearray, chance: random.Random) -> None:
    size, order = chance.choice((1, 2, 4, 8)), chance.choice(("little", "big"))
    word = chance.choice(_WORDS) % (1 << 8 * size)
    at = _place(content, chance)
    content[at : at + size] = word.to_bytes(size, order)  # type: ignore[arg-type]


def _cut(content: bytearray, chance: random.Random) -> None:
    del content[_place(content, chance) :]


def _remove(content: bytearray, chance: random.Random) -> None:
    at = _place(content, chance)
    del content[at : at + chance.choice((1, 2, 4, 16, 256))]


def _repeat(content: bytearray, chance: random.Random) -> None:
    at, length = _place(content, chance), chance.choice((1, 4, 16, 256))
    content[at:at] = content[at : at + length] * chance.choice((1, 1, 50))


def _blank(content: bytearray, chance: random.Random) -> None:
    at, length = _place(content, chance), chance.choice((4, 16, 64))
    content[at : at + length] = bytes([chance.choice((0, 0xFF, 0x20))]) * length


def _insert(content: bytearray, chance: random.Random) -> None:
    at = _place(content, chance)
    content[at:at] = chance.choice(_INSERTED)


def _change_number(content: bytearray, chance: random.Random) -> None:
    """Put another number in the place of one that is written as text."""
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?", content[:4096]))
    if not found:
        _set_word(content, chance)
        return
    number = chance.choice(found)
    content[slice(*number.span())] = chance.choice(_NUMBERS).encode()


def _change_line(content: bytearray, chance: random.Random) -> None:
    """Remove, repeat or exchange lines of a text."""
    lines = bytes(content[:4096]).split(b"\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    kind = chance.randrange(3)
    if kind == 0:
        del lines[one]
    elif kind == 1:
        lines.insert(one, lines[other])
    else:
        lines[one], lines[other] = lines[other], lines[one]
    content[:4096] = b"\n".join(lines)


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip,
    _flip,
    _set_word,
    _set_word,
    _cut,
    _remove,
    _repeat,
    _blank,
    _insert,
    _change_number,
    _change_number,
    _change_line,
)


def _with_sums(png: bytearray) -> bytearray:
    """Correct the sums of a PNG file's chunks."""
    at = 8
    while at + 12 <= len(png):
        length = int.from_bytes(png[at : at + 4])
        end = at + 8 + length
        if end + 4 > len(png):
            break
        png[end : end + 4] = zlib.crc32(png[at + 4 : end]).to_bytes(4)
        at = end + 4
    return png


def _limit_memory(memory_mb: int) -> None:
    """Allow some address space beyond what this process has."""
    statm = Path("/proc/self/statm")
    if statm.is_file():
        used = int(statm.read_text().split()[0]) * resource.getpagesize()
        limit = used + memory_mb * (1 << 20)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
