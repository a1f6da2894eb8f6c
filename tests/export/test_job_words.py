"""What the caller of an export says of the model, in its card."""

from fakes.experiments import Told
from sonotempo.export.job import export_model
from sonotempo.live.models.card import read_card


def test_name_origin_and_figures_can_be_given(finished_run, tmp_path):
    out = tmp_path / "model.onnx"
    with Told() as progress:
        card = export_model(
            finished_run.folder,
            out,
            progress,
            name="shapes, trained on drawings",
            trained_on="4 drawn subjects",
            facts=["frame: Dice 0.5 on one of them"],
        )
    assert read_card(out) == card
    assert (card.name, card.trained_on) == ("shapes, trained on drawings", "4 drawn subjects")
    assert card.checks[0] == "frame: Dice 0.5 on one of them"
    assert "equal torch's on the clip" in card.checks[1]
    assert (card.run, card.fold) == ("tiny", 0)


def test_without_them_the_run_names_the_model(finished_run, tmp_path):
    with Told() as progress:
        card = export_model(finished_run.folder, tmp_path / "model.onnx", progress)
    assert card.name == "tiny frame, fold 0"
    assert card.trained_on.endswith("recordings of run tiny")
    assert len(card.checks) == 2
