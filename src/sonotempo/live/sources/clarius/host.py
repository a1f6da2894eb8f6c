"""The host's side of the process with the Clarius SDK: start, listen, and end in bounded time."""

import multiprocessing
import multiprocessing.connection
import threading

from sonotempo.live.buffer.ring_block import BufferHandle
from sonotempo.live.sources.clarius.child import run
from sonotempo.live.sources.clarius.messages import CastSettings, Instruction, Message
from sonotempo.live.spawning import exit_words, start_spawned

_KILL_S = 5.0


class CastProcess:
    """One process with the SDK, from its start to its end, even a crash.

    It is spawned, not forked: the host has threads (a GUI, a GPU) that a fork would break.

    Args:
        settings: the connection to make.
        handle: of the buffer that it writes into.
    """

    def __init__(self, settings: CastSettings, handle: BufferHandle) -> None:
        spawn = multiprocessing.get_context("spawn")
        instructions, self._instructions = spawn.Pipe(duplex=False)
        self._messages, messages = spawn.Pipe(duplex=False)
        self._sending = threading.Lock()
        self._is_broken = False
        self._process = spawn.Process(
            target=run,
            args=(settings, handle, instructions, messages),
            name="sonotempo-clarius",
            daemon=True,
        )
        try:
            start_spawned(self._process)
        finally:
            # Only the process holds these ends now, so that its end is noticed.
            instructions.close()
            messages.close()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid or 0

    @property
    def is_alive(self) -> bool:
        """Whether the process is running."""
        return self._process.is_alive()

    def messages(self, timeout_s: float) -> list[Message]:
        """Wait for messages, for the end of the process, or for the timeout."""
        heard: list[Message] = []
        sentinel = self._process.sentinel
        multiprocessing.connection.wait(
            [sentinel] if self._is_broken else [sentinel, self._messages], timeout_s
        )
        try:
            while not self._is_broken and self._messages.poll():
                heard.append(self._messages.recv())
        except (EOFError, OSError):
            self._is_broken = True
        return heard

    def tell(self, instruction: Instruction) -> None:
        """Send an instruction from any thread; it is lost if the process has ended."""
        with self._sending:
            try:
                self._instructions.send(instruction)
            except (OSError, ValueError):
                return

    def end(self, timeout_s: float) -> bool:
        """Ask the process to end, and end it if it does not.

        Returns:
            Whether it ended by itself.
        """
        self.tell("stop")
        obeyed = self._joined(timeout_s)
        if not obeyed:
            self._process.kill()
            self._process.join(_KILL_S)
        with self._sending:
            self._instructions.close()
        self._messages.close()
        return obeyed

    def how_it_ended(self) -> str:
        """Return how the process ended, such as ``signal SIGABRT``; empty if alive or successful.

        Call it before :meth:`end`.
        """
        return exit_words(self._process.exitcode)

    def _joined(self, timeout_s: float) -> bool:
        """Wait for the end and read the remaining messages: a full pipe would delay it."""
        waited = threading.Event()
        listener = threading.Thread(target=self._drain, args=(waited,), daemon=True)
        listener.start()
        self._process.join(timeout_s)
        waited.set()
        listener.join()
        return not self._process.is_alive()

    def _drain(self, waited: threading.Event) -> None:
        while not waited.is_set() and not self._is_broken:
            self.messages(0.05)
