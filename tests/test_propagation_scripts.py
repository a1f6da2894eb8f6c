"""The scripts that measure propagated labels, in their short form."""

import sys

from fakes.scripts import load_script

bench = load_script("bench_propagation")
training = load_script("train_on_propagated")


def run(script, monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", [script.__name__, *map(str, arguments)])
    script.main()
    return capsys.readouterr().out


def test_the_quality_of_propagated_masks_is_measured(tmp_path, monkeypatch, capsys):
    printed = run(
        bench, monkeypatch, capsys, "--quick", "--picture", tmp_path / "dice.png"
    ).splitlines()
    for row in ("| nerves, propagated |", "| vessels, left in place |", "| vessels | 0."):
        assert any(line.startswith(row) for line in printed), row
    assert "44 of 44 frames get a mask." in printed
    assert (tmp_path / "dice.png").read_bytes().startswith(b"\x89PNG")


def test_the_worth_of_propagated_masks_in_training_is_measured(tmp_path, monkeypatch, capsys):
    given = (tmp_path, "--quick", "--seeds", 1)
    printed = run(training, monkeypatch, capsys, *given)
    assert "| 1 label in 20 alone |" in printed
    assert "| with propagated labels | +" in printed or "| with propagated labels | -" in printed
    assert "2 held-out subjects, 1 seeds." in printed
    monkeypatch.setattr(training, "crossvalidate", lambda *_: 1 / 0)
    assert run(training, monkeypatch, capsys, *given) == printed, "what is finished is kept"
