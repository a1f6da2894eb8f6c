import sys

import numpy as np
import pytest
from PIL import Image

from sonotempo import cli
from sonotempo.errors import SonotempoError
from sonotempo.phantom.sheet import draw_sheet

pytest.importorskip("matplotlib")


def test_the_command_draws_a_sheet(tmp_path, monkeypatch, capsys):
    out = tmp_path / "new" / "sheet.png"
    words = ["sonotempo", "phantom", "preview", "--out", str(out), "--size", "64"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert "wrote" in capsys.readouterr().out
    sheet = np.asarray(Image.open(out).convert("RGB"))
    assert sheet.shape[1] > sheet.shape[0] > 100
    assert (np.ptp(sheet, axis=2) > 60).any()  # outlines in colour


def test_a_sheet_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SonotempoError, match="cannot be created"):
        draw_sheet(tmp_path / "file" / "sheet.png", size=64)
