import pytest

from sonotempo.live.sources.clarius.watchdog import ClariusLimits, Watchdog

LIMITS = ClariusLimits(start_s=20, connect_s=15, first_image_s=8, stale_s=2, hang_s=10, steady_s=5)


def watched(*seen):
    """A watchdog that started at 0 and saw these, as (what, when)."""
    dog = Watchdog(LIMITS, now_s=0)
    for what, now_s in seen:
        dog.saw(what, now_s)
    return dog


STREAMING = (("loaded", 1), ("connected", 2), ("image", 3))


def kept_alive(dog, since_s, until_s):
    """Let the process report, as it does four times a second, but send no image."""
    for now_s in range(since_s, until_s + 1):
        dog.saw("received", now_s)
    return dog.overdue(until_s)


@pytest.mark.parametrize(
    ("seen", "fine_at", "over_at", "says"),
    [
        ((), 20, 21, "did not start within 20 s"),
        ((("loaded", 5),), 20, 21, "did not answer within 15 s"),
        ((("loaded", 1), ("connected", 2), ("received", 9)), 10, 11, "UDP"),
        (STREAMING, 5, 6, "no image for 2 s"),
        ((*STREAMING, ("frozen", 4)), 14, 15, "not reported for 10 s"),
        ((*STREAMING, ("frozen", 4), ("running", 20)), 28, 29, "no image within 8 s"),
        ((*STREAMING, ("frozen", 4), ("received", 20), ("freeze sent", 20)), 28, 29, "no image"),
    ],
)
def test_each_phase_has_its_own_patience(seen, fine_at, over_at, says):
    dog = watched(*seen)
    assert dog.overdue(fine_at) is None
    assert says in dog.overdue(over_at)


def test_frozen_is_not_lost_however_long_it_lasts():
    assert kept_alive(watched(*STREAMING, ("frozen", 4)), 4, 4000) is None


def test_no_image_and_not_frozen_is_lost_though_the_process_is_well():
    assert "no image" in kept_alive(watched(*STREAMING), 3, 6)


def test_a_trailing_image_does_not_end_freezing_but_a_stream_does():
    dog = watched(*STREAMING, ("frozen", 4), ("image", 4.1))
    assert dog.phase == "frozen"
    dog.saw("image", 5.5)
    assert dog.phase == "streaming"


def test_an_unasked_running_changes_nothing():
    dog = watched(*STREAMING, ("running", 4))
    assert dog.phase == "streaming"
    assert dog.overdue(6) is not None


def test_freezing_that_was_asked_for_is_no_sign_of_freezing():
    dog = watched(*STREAMING, ("freeze sent", 4))
    assert "no image" in dog.overdue(6)


def test_it_is_steady_after_images_for_a_while():
    dog = watched(*STREAMING)
    assert not dog.is_steady(7)
    assert dog.is_steady(8)
    assert not watched(("loaded", 1), ("connected", 2)).is_steady(100)


def test_pauses_double_up_to_a_limit():
    limits = ClariusLimits(backoff_s=0.5, backoff_max_s=10)
    pauses_s = [limits.pause_s(failures) for failures in (1, 2, 3, 4, 5, 6, 10_000)]
    assert pauses_s == [0.5, 1, 2, 4, 8, 10, 10]
