import os

import pytest

pytestmark = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from napari_sonotempo.shared import messages as module
    from napari_sonotempo.shared.messages import Messages


def test_the_last_ones_stay_each_once_and_the_newest_is_below(qtbot):
    messages = Messages(kept=2)
    qtbot.addWidget(messages)
    for sentence in ("first", "second", "first", "third"):
        messages.say("info", sentence)
    assert messages.text() == "first\nthird"


def test_a_sentence_is_text_and_its_level_is_seen_by_sign_and_colour(qtbot):
    messages = Messages()
    qtbot.addWidget(messages)
    messages.say("error", "a <b> & b")
    assert "✗ a <b> & b" in messages.toPlainText()
    error = messages.toHtml()
    messages.clear_all()
    messages.say("warning", "a <b> & b")
    assert "! a <b> & b" in messages.toPlainText()
    assert error != messages.toHtml().replace("!", "✗")


def test_the_height_does_not_depend_on_what_is_said(qtbot):
    messages = Messages()
    qtbot.addWidget(messages)
    messages.show()
    before = messages.height()
    for number in range(5):
        messages.say("info", f"{number} " + "a long sentence " * 30)
        assert messages.height() == before
    messages.clear_all()
    assert messages.height() == before
    assert messages.text() == ""


def test_news_expire_and_errors_stay_and_the_history_keeps_all(qtbot, monkeypatch):
    monkeypatch.setitem(module.SHOWN_S, "info", 0.05)
    messages = Messages()
    qtbot.addWidget(messages)
    messages.say("error", "it failed")
    messages.say("info", "something else")
    qtbot.waitUntil(lambda: messages.text() == "it failed", timeout=5000)
    assert [one.sentence for one in messages.history] == ["it failed", "something else"]


def test_what_does_not_hold_any_more_is_withdrawn(qtbot):
    messages = Messages()
    qtbot.addWidget(messages)
    messages.say("warning", "too slow")
    messages.withdraw("too slow")
    assert messages.text() == ""
