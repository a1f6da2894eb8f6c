import io

import numpy as np
import pytest
from rich.console import Console

from fakes.experiments import Stopped, tiny_experiment
from fakes.files import noise, write_png
from sonotempo import demo
from sonotempo.config import DataConfig
from sonotempo.config_file import load_run
from sonotempo.errors import SonotempoError


@pytest.fixture
def small(monkeypatch):
    """The demo at a size that takes seconds."""
    cohort = demo._COHORT.model_copy(update={"subjects": 6, "seconds": 0.3, "size": 64})
    monkeypatch.setattr(demo, "_COHORT", cohort)

    def tiny(out, *, full=False):
        data = DataConfig(
            root=out / "data", structures="lookalikes", input_size=32, cache=out / "cache"
        )
        return tiny_experiment(name="demo", data=data, note=demo._NO_PATIENTS)

    monkeypatch.setattr(demo, "_on_phantoms", tiny)
    # Exporting is tested where it is done; thrice it would take longer than the demo itself.
    monkeypatch.setattr(demo, "export_model", lambda run, out, *_, **how: out.write_text(str(how)))


def said_by(out, data=None):
    console = Console(file=io.StringIO(), width=300)
    demo.run_demo(out, data, console)
    return console.file.getvalue()


def test_the_demo_leaves_what_it_announces_and_goes_on_where_it_stopped(
    small, tmp_path, monkeypatch
):
    said = said_by(tmp_path)
    assert "not a medical device" in said
    run = tmp_path / "run"
    left = ("report.html", "comparison.json", "tables.md")
    for path in (
        *(run / name for name in ("table.md", "bars.png", "frames.parquet")),
        *(tmp_path / name for name in left),
    ):
        assert str(path) in said
        assert path.stat().st_size > 100
    assert (tmp_path / "preview.png").is_file()
    exported = {path.stem: path.read_text() for path in tmp_path.glob("*.onnx")}
    assert exported == {
        "frame": "{'arms': ('frame',), 'pair': False}",
        "sequence": "{'arms': ('sequence',), 'pair': False}",
        "pair": "{'arms': ('frame', 'sequence'), 'pair': True}",
    }
    written = {p: p.stat().st_mtime_ns for p in (tmp_path / "data").rglob("*.mhd")}

    def began(*_):
        raise Stopped

    monkeypatch.setattr(demo, "preview_experiment", lambda *_, **__: None)
    monkeypatch.setattr(demo, "crossvalidate", began)
    with pytest.raises(Stopped):
        said_by(tmp_path)
    assert written == {p: p.stat().st_mtime_ns for p in (tmp_path / "data").rglob("*.mhd")}


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(SonotempoError, match=r"cannot be created .*--out"):
        said_by(tmp_path / "file" / "demo")


@pytest.mark.parametrize("settings", [demo._on_phantoms, lambda out: demo._on_stills(out, out)])
def test_the_demo_s_settings_hold_together(tmp_path, settings):
    from sonotempo.models.summary import cost_of

    experiment = settings(tmp_path)
    assert experiment.model.share_encoder == "frozen"
    for arm in experiment.arms:
        assert cost_of(arm, experiment.model, 3, experiment.data.input_size)["whole"].parameters
    assert str(experiment.data.cache).startswith(str(tmp_path))


def test_the_demo_takes_stills_of_your_own(tmp_path, monkeypatch):
    stills = tmp_path / "stills"
    for number in range(6):
        write_png(stills / "images" / f"{number}.png", noise(40, 40, seed=number))
        mask = np.zeros((40, 40), np.uint8)
        mask[5:25, 5:25] = 1 + number % 2
        write_png(stills / "masks" / f"{number}.png", mask)
    tiny = tiny_experiment(stills, tmp_path / "cache", name="demo")
    monkeypatch.setattr(demo, "_on_stills", lambda *_: tiny)
    monkeypatch.setattr(demo, "preview_experiment", lambda *_, **__: None)
    monkeypatch.setattr(demo, "export_model", lambda *_, **__: None)
    said = said_by(tmp_path / "out", stills)
    assert "motion is added" in said
    table = (tmp_path / "out" / "run" / "table.md").read_text(encoding="utf-8")
    assert "image-level folds, subjects unknown" in table
    assert "stills moved into clips" in table
    assert load_run(tmp_path / "out" / "run") == tiny
