"""Which job may start, which has to wait, and which was lost too often: no process and no file."""

import heapq
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

from sonotempo.errors import SonotempoError

Task = TypeVar("Task", bound=Hashable)

#: A job whose process is lost more often than this ends the run.
MOST_LOSSES = 3


class Schedule(Generic[Task]):
    """The states of all tasks, each of which may need the result of one other.

    >>> schedule = Schedule({"frame": None, "sequence": "frame"})
    >>> schedule.ready()
    ['frame']
    >>> schedule.start("frame")
    >>> schedule.ready()
    []
    >>> schedule.use("frame")  # its weights are there, its scores are not
    >>> schedule.ready()
    ['sequence']

    Args:
        needs: for each task the one whose result it needs, or None; in order of preference.
        finished: tasks that an earlier start has finished.
        usable: further tasks whose result is there already.
    """

    def __init__(
        self,
        needs: Mapping[Task, Task | None],
        finished: Collection[Task] = (),
        usable: Collection[Task] = (),
    ) -> None:
        self._needs = dict(needs)
        self._finished = set(finished)
        self._usable = {*finished, *usable}
        self._running: dict[Task, None] = {}
        self._losses: Counter[Task] = Counter()

    @property
    def running(self) -> tuple[Task, ...]:
        """Started and not ended, in the order of their start."""
        return tuple(self._running)

    @property
    def left(self) -> tuple[Task, ...]:
        """Not finished, in order of preference."""
        return tuple(task for task in self._needs if task not in self._finished)

    def losses(self, task: Task) -> int:
        """Return how often a task was lost."""
        return self._losses[task]

    def ready(self) -> list[Task]:
        """Return what may start now, in order of preference."""
        return [
            task
            for task in self.left
            if task not in self._running and (self._needs[task] in {None, *self._usable})
        ]

    def start(self, task: Task) -> None:
        """Count a task as running.

        Raises:
            ValueError: it is not ready.
        """
        if task not in self.ready():
            raise ValueError(f"{task} is not ready")
        self._running[task] = None

    def use(self, task: Task) -> None:
        """Let start what needs the result of this task, though it may not be finished."""
        self._usable.add(task)

    def finish(self, task: Task) -> None:
        """Count a task as finished."""
        self._running.pop(task, None)
        self._finished.add(task)
        self._usable.add(task)

    def lose(self, task: Task, name: str, why: str) -> None:
        """Put a task whose process is gone back among those that may start.

        Args:
            task: the task.
            name: what it is called in the error.
            why: how its process ended.

        Raises:
            SonotempoError: it was lost too often.
        """
        del self._running[task]
        self._losses[task] += 1
        if self._losses[task] > MOST_LOSSES:
            raise SonotempoError(
                f"{name} lost its process {self._losses[task]} times, the last time by {why}; "
                "often that is a lack of memory: run fewer jobs at a time (engine.jobs, "
                "engine.jobs_per_gpu) or lower train.batch_size, and repeat the command: finished "
                "jobs and last epochs are kept"
            )


def longest_chain_first(needs: Mapping[Task, Task | None]) -> dict[Task, Task | None]:
    """Sort tasks so that those come first that the longest chain of others waits for.

    >>> list(longest_chain_first({"a": None, "b": "a", "c": None, "d": "c", "e": "d"}))
    ['c', 'a', 'd', 'b', 'e']
    """
    heights = dict.fromkeys(needs, 0)
    for task in needs:
        height, needed = 1, needs[task]
        while needed is not None:
            heights[needed] = max(heights[needed], height)
            height, needed = height + 1, needs[needed]
    return {task: needs[task] for task in sorted(needs, key=lambda task: -heights[task])}


def duration_s(
    needs: Mapping[Task, Task | None],
    seconds: Mapping[Task, float],
    slots: int,
    running: Iterable[Task] = (),
) -> float:
    """Return how long tasks take side by side, each started as soon as there is room.

    >>> duration_s({"a": None, "b": None, "c": "a"}, {"a": 2, "b": 3, "c": 2}, slots=2)
    4.0

    Args:
        needs: as in :class:`Schedule`; a need that is not among the tasks is there already.
        seconds: of each task, or what is left of it.
        slots: how many run at a time.
        running: those that have a slot already.
    """
    there = [one for one in needs.values() if one is not None and one not in needs]
    schedule = Schedule(needs, usable=there)
    first = set(running)
    ends: list[tuple[float, int, Task]] = []
    now, started = 0.0, 0
    while schedule.left:
        for task in sorted(schedule.ready(), key=lambda task: task not in first):
            if len(ends) >= max(1, slots):
                break
            schedule.start(task)
            heapq.heappush(ends, (now + seconds[task], started, task))
            started += 1
        now, _, task = heapq.heappop(ends)
        schedule.finish(task)
    return now
