import os

import pytest

pytestmark = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from napari_sonotempo.shared.messages import Messages


def test_the_last_ones_stay_each_once_and_the_newest_is_below(qtbot):
    messages = Messages(kept=2)
    qtbot.addWidget(messages)
    assert messages.isHidden()
    for sentence in ("first", "second", "first", "third"):
        messages.say("info", sentence)
    assert not messages.isHidden()
    lines = messages.text().split("<br>")
    assert ["first" in lines[0], "third" in lines[1], len(lines)] == [True, True, 2]


def test_a_sentence_is_text_and_its_level_is_seen_by_sign_and_colour(qtbot):
    messages = Messages()
    qtbot.addWidget(messages)
    messages.say("error", "a <b> & b")
    assert "a &lt;b&gt; &amp; b" in messages.text()
    error = messages.text()
    messages.say("warning", "a <b> & b")
    assert messages.text().count("a &lt;b&gt;") == 1
    assert "✗" in error
    assert "✗" not in messages.text()


def test_nothing_said_takes_no_room(qtbot):
    messages = Messages()
    qtbot.addWidget(messages)
    messages.say("info", "one")
    messages.clear_all()
    assert messages.isHidden()
    assert messages.text() == ""
