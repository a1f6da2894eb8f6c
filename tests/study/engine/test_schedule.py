import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonotempo.errors import SonotempoError
from sonotempo.study.engine.schedule import (
    MOST_LOSSES,
    Schedule,
    duration_s,
    longest_chain_first,
)

CHAIN = {"frame": None, "sequence": "frame", "sequence_reset": "sequence"}


@st.composite
def forests(draw):
    """Tasks by number, each of which needs an earlier one or none."""
    count = draw(st.integers(1, 12))
    return {
        task: draw(st.sampled_from([None, *range(task)]) if task else st.none())
        for task in range(count)
    }


@given(forests(), st.integers(1, 4), st.randoms(use_true_random=False))
def test_every_task_runs_once_and_after_what_it_needs_whatever_is_lost(needs, slots, chance):
    schedule = Schedule(needs)
    done, lost = [], dict.fromkeys(needs, 0)
    while schedule.left:
        for task in schedule.ready()[: slots - len(schedule.running)]:
            assert needs[task] is None or needs[task] in done
            schedule.start(task)
        assert schedule.running
        task = chance.choice(schedule.running)
        if lost[task] < MOST_LOSSES and chance.random() < 0.3:
            lost[task] += 1
            schedule.lose(task, str(task), "signal 9")
            assert task not in schedule.running
        else:
            done.append(task)
            schedule.finish(task)
    assert sorted(done) == sorted(needs)
    assert {task: schedule.losses(task) for task in needs} == lost


def test_weights_are_enough_to_start_from():
    schedule = Schedule(CHAIN)
    schedule.start("frame")
    assert schedule.ready() == []
    schedule.use("frame")
    assert schedule.ready() == ["sequence"]
    assert schedule.left == tuple(CHAIN)


def test_what_is_finished_is_not_started_and_what_has_weights_serves():
    schedule = Schedule(CHAIN, finished=["frame"], usable=["sequence"])
    assert schedule.ready() == ["sequence", "sequence_reset"]
    assert schedule.left == ("sequence", "sequence_reset")


def test_what_is_not_ready_cannot_be_started():
    with pytest.raises(ValueError, match="sequence is not ready"):
        Schedule(CHAIN).start("sequence")


def test_a_task_that_is_lost_too_often_ends_the_run_with_the_last_reason():
    schedule = Schedule(CHAIN)
    for _ in range(MOST_LOSSES):
        schedule.start("frame")
        schedule.lose("frame", "frame, fold 0", "signal 9")
        assert schedule.ready() == ["frame"]
    schedule.start("frame")
    with pytest.raises(
        SonotempoError, match=r"frame, fold 0 lost its process 4 times, .+ by signal 9; .+ memory"
    ):
        schedule.lose("frame", "frame, fold 0", "signal 9")


@given(forests())
def test_the_longest_chain_comes_first_and_nothing_is_lost_or_added(needs):
    ordered = longest_chain_first(needs)
    assert ordered == needs

    def chain(task):
        return 1 + max((chain(one) for one in needs if needs[one] == task), default=0)

    lengths = [chain(task) for task in ordered]
    assert lengths == sorted(lengths, reverse=True)


@given(forests(), st.integers(1, 5), st.lists(st.integers(1, 9), min_size=12, max_size=12))
def test_a_duration_is_bounded_by_the_work_and_the_longest_chain(needs, slots, seconds):
    of = dict(zip(needs, seconds, strict=False))

    def chain_s(task):
        return of[task] + (0 if needs[task] is None else chain_s(needs[task]))

    whole_s = duration_s(needs, of, slots)
    longest_s, work_s = max(chain_s(task) for task in needs), sum(of.values())
    assert max(longest_s, work_s / slots) <= whole_s
    assert whole_s <= work_s / slots + longest_s  # Graham's bound for list scheduling
    if slots == 1:
        assert whole_s == work_s


def test_a_running_task_keeps_its_slot_in_a_forecast():
    needs = {"long": None, "short": None}
    assert duration_s(needs, {"long": 5, "short": 1}, 1, running=["short"]) == 6
    assert duration_s({"b": "a"}, {"b": 2}, 1) == 2
    assert duration_s({}, {}, 1) == 0
