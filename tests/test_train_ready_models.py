"""The parts of scripts/train_ready_models.py that do not train."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes.experiments import Told
from fakes.onnx_models import write_model
from fakes.scripts import load_script
from sonotempo.structures import AXILLARY, FEMORAL

page = load_script("_ready_page")
script = load_script("train_ready_models")

FOUND = {
    "procedure": "femoral",
    "subjects": 90,
    "frames": 1200,
    "seed": 5,
    "input_size": 128,
    "epochs": {"frame": 8, "sequence": 4},
    "steps": {"frame": 2400, "sequence": 500},
    "memory_use": 0.0125,
    "device": "one CPU core",
    "minutes": 17.4,
    "held_out_subjects": 6,
    "held_out_frames": 480,
    "held_out_seed": 6,
    "dice": {
        "frame": {"blood": [0.912, 0.034, 6], "bone": [0.5, 0.25, 4]},
        "sequence": {"blood": [0.934, 0.012, 6], "bone": [0.75, 0.05, 4]},
    },
    "stress": {
        "frame, inside": [0.284, 0.59],
        "frame, sound": [0.011, 0.94],
        "sequence, inside": [0.081, 0.791],
        "sequence, sound": [None, None],
    },
}


class TestPage:
    def test_dice_of_both_arms_by_structure(self):
        table = page.dice_table(FOUND).splitlines()
        assert "6 held-out simulated subjects (480 frames)" in table[0]
        assert table[-2:] == [
            "| blood | 0.91 ± 0.03 | 0.93 ± 0.01 |",
            "| bone | 0.50 ± 0.25 (n=4) | 0.75 ± 0.05 (n=4) |",
        ]

    def test_how_each_procedure_was_trained(self):
        table = page.training_table([FOUND, {**FOUND, "procedure": "axillary", "subjects": 91}])
        assert "| training | femoral | axillary |" in table
        assert "| training subjects | 90 | 91 |" in table
        assert "| then of the sequence U-net | 4 (500) | 4 (500) |" in table
        assert "| trained on | one CPU core | one CPU core |" in table
        assert "| minutes | 17 | 17 |" in table

    def test_what_both_arms_miss_under_stress(self):
        assert page.stress_table([FOUND]).splitlines()[-2:] == [
            "| femoral | frame | 28% | 0.59 | 1% | 0.94 |",
            "| femoral | sequence | 8% | 0.79 | – | – |",
        ]

    def test_only_the_part_between_its_lines_is_replaced(self, tmp_path, monkeypatch):
        text, picture = tmp_path / "page.md", tmp_path / "page.png"
        text.write_text(f"above\n{page.BEGIN}\nold figures\n{page.END}\nbelow\n", "utf-8")
        monkeypatch.setattr(page, "PAGE", text)
        monkeypatch.setattr(page, "PICTURE", picture)
        strip = np.full((4, 6, 3), 9, np.uint8)
        monkeypatch.setattr(page, "live_strip", lambda path, progress: strip)
        single, pair, real = (tmp_path / f"{name}.onnx" for name in ("a-frame", "a-pair", "b-pair"))
        write_model(single)
        write_model(pair, arms=("frame", "sequence"), structures=FEMORAL)
        write_model(real, arms=("frame", "sequence"))  # its figures are another script's
        with Told() as progress:
            page.write_page([FOUND], [single, pair, real], progress)
            page.write_page([FOUND], [single, pair, real], progress)
        written = text.read_text("utf-8")
        assert written.startswith(f"above\n{page.BEGIN}\n\n**Femoral**")
        assert written.endswith(f"\n\n{page.END}\nbelow\n")
        assert "old figures" not in written
        assert written.count("| `a-pair.onnx` | frame, sequence | fp32 |") == 1
        with Image.open(picture) as drawn:
            assert drawn.size == (6, 4)  # the pair's alone

    def test_the_legend_names_every_structure_in_its_colour(self):
        for structures in (AXILLARY, FEMORAL):
            legend_HW3 = page.legend(structures, 1200)
            assert legend_HW3.shape[1:] == (1200, 3)
            for structure in structures:
                assert (legend_HW3 == structure.color_rgb).all(axis=2).any()

    def test_figures_of_stills_have_their_intervals(self, tmp_path, monkeypatch):
        text = tmp_path / "page.md"
        text.write_text(f"above\n{page.BEGIN_REAL}\nold\n{page.END_REAL}\nbelow\n", "utf-8")
        monkeypatch.setattr(page, "PAGE", text)
        values = {"nerve": [0.54, 0.5, 0.58, 173], "vessel": [0.69, 0.63, 0.74, 155]}
        page.write_real_figures({"stills": 204, "folds": 3, "dice": {"frame": values}})
        written = text.read_text("utf-8")
        assert "Dice on 204 stills in 3 folds by image group" in written
        assert "| nerve | 0.54 [0.50, 0.58] |" in written
        assert "\nold\n" not in written


class TestTraining:
    @pytest.mark.parametrize("procedure", script.PROCEDURES)
    def test_no_cohort_holds_the_subject_of_the_live_simulation(self, procedure):
        assert 0 not in (script.TRAINING_SEED, script.HELD_OUT_SEED)
        assert script.TRAINING_SEED != script.HELD_OUT_SEED
        experiment = script.experiment(procedure, script.Recipe(), Path("work"), "auto")
        assert experiment.structures.name == procedure
        assert "not for patients" in experiment.note

    def test_every_scanner_is_held_out(self):
        # Subjects alternate between three scanners.
        for recipe in script.RECIPES.values():
            assert recipe.held_out % 3 == 0
            assert min(recipe.watched, recipe.subjects) >= 3

    def test_training_time_adds_up_over_attempts_and_stops_with_the_figures(self, tmp_path):
        (tmp_path / "spent.json").write_text('{"minutes": 60.0}\n', "utf-8")

        def cut_off():
            with script.training_time(tmp_path):
                sum(range(2_000_000))
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            cut_off()
        spent = script.spent(tmp_path)
        assert 60 <= spent["minutes"] < 61
        assert spent["device"]
        (tmp_path / "figures.json").touch()
        with script.training_time(tmp_path):
            sum(range(2_000_000))
        assert script.spent(tmp_path) == spent

    def test_an_unknown_procedure_is_refused(self, monkeypatch, capsys):
        monkeypatch.setattr(sys, "argv", ["train_ready_models.py", "--procedure", "knee"])
        with pytest.raises(SystemExit):
            script.main()
        assert "knee" in capsys.readouterr().err

    def test_work_of_other_settings_is_refused_in_a_sentence(self, tmp_path, monkeypatch):
        cohort = tmp_path / "femoral" / "data"
        cohort.mkdir(parents=True)
        (cohort / "cohort.json").write_text('{"procedure": "axillary", "subjects": 2}', "utf-8")
        given = ["--quick", "--procedure", "femoral", "--work", str(tmp_path)]
        monkeypatch.setattr(sys, "argv", ["train_ready_models.py", *given])
        with pytest.raises(SystemExit, match="holds a cohort with procedure 'axillary'"):
            script.main()
