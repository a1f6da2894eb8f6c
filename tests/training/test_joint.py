"""One encoder trained with two decoders at once: `model.share_encoder=joint`."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from fakes.experiments import SIZE, TINY, Stopped, Told, tiny_experiment
from fakes.recordings import make_recording
from sonotempo.data.cache import cache_recording
from sonotempo.data.folds import Fold, save_folds
from sonotempo.errors import SonotempoError
from sonotempo.evaluation.scoring.provenance import FACTS_FILE, differing, read_facts
from sonotempo.export.graph import export_graph
from sonotempo.training.job import Job, run_job
from sonotempo.training.weights import load_weights

FOLD = Fold(0, ("s0",), ("s1",), ("s2",))
JOINT = TINY.model_copy(update={"share_encoder": "joint"})
ARMS = ("frame", "frame_continued", "sequence", "frame_joint")
# Lightning's advice: frozen parts are meant to be in evaluation mode.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Found .* module.* in eval mode:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    root = tmp_path_factory.mktemp("cohort")
    return [
        cache_recording(
            make_recording(root / name, 4, subject=name, name=name, content=name.encode()),
            root / "cache",
            SIZE,
            None,
        )
        for name in ("s0", "s1", "s2")
    ]


def experiment_of(**changes):
    sequence = tiny_experiment().sequence.model_copy(update={"shuffled_frames": 2} | changes)
    return tiny_experiment(model=JOINT, arms=ARMS, sequence=sequence)


def run_all(run, cohort, experiment, progress=None):
    for arm in experiment.arms:
        run_job(Job(arm, FOLD, run), experiment, cohort, progress or Told())
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory, cohort):
    return run_all(tmp_path_factory.mktemp("joint") / "run", cohort, experiment_of())


def weights(run, arm) -> Path:
    return run / arm / "fold-00" / "weights.safetensors"


def tensors(run, arm):
    return load_weights(weights(run, arm))[0].state_dict()


def test_both_arms_have_one_encoder_which_is_no_longer_the_frame_arm_s(run):
    frame, joint, sequence = (tensors(run, arm) for arm in ("frame", "frame_joint", "sequence"))
    encoder = [name for name in frame if name.startswith("encoder.")]
    assert encoder
    assert all(torch.equal(joint[name], sequence[name]) for name in encoder)
    moved = [name for name in encoder if name.endswith("0.weight")]
    assert moved
    assert all(not torch.equal(frame[name], joint[name]) for name in moved)
    kept = [name for name in frame if "running_" in name]
    assert all(torch.equal(frame[name], joint[name]) for name in kept)


def test_the_frame_decoder_learns_for_itself(run):
    frame, joint, sequence = (tensors(run, arm) for arm in ("frame", "frame_joint", "sequence"))
    assert not torch.equal(joint["head.weight"], frame["head.weight"])
    assert not torch.equal(joint["head.weight"], sequence["head.weight"])


def test_facts_say_what_was_trained_together(run):
    facts = {arm: read_facts(weights(run, arm).with_name(FACTS_FILE)) for arm in ARMS}
    assert facts["frame"].trained_with == ""
    assert facts["sequence"].trained_with == facts["frame_continued"].trained_with != ""
    assert "sequence" in facts["frame_joint"].trained_with
    assert "encoder" not in facts["sequence"].frozen
    assert differing(facts["frame_continued"], facts["sequence"]) == ("added",)
    assert facts["frame_joint"].parameters == facts["frame"].parameters


def test_the_jointly_trained_frame_arm_is_scored(run):
    scored = json.loads((weights(run, "frame_joint").with_name("finished.json")).read_text("utf-8"))
    assert scored["frames"] > 0


@pytest.mark.parametrize("added", ["sequence", "sequence_aligned"])
def test_a_training_that_is_interrupted_ends_like_one_that_is_not(tmp_path, cohort, added):
    arms = ("frame", added)
    experiment = experiment_of(epochs=3).model_copy(update={"arms": arms})
    whole = run_all(tmp_path / "whole", cohort, experiment)
    cut = Told(stop_in=f"{added}, fold 0: training", stop_after=2)
    with pytest.raises(Stopped):
        run_all(tmp_path / "cut", cohort, experiment, cut)
    resumed = run_all(tmp_path / "cut", cohort, experiment)
    ours, theirs = tensors(whole, added), tensors(resumed, added)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_two_are_exported_as_a_pair(run, tmp_path):
    models = {arm: load_weights(weights(run, arm))[0] for arm in ("frame_joint", "sequence")}
    metadata = load_weights(weights(run, "sequence"))[1]
    card = export_graph(models, metadata.structure_set, SIZE, tmp_path / "pair.onnx")
    assert [member.arm for member in card.members] == ["frame_joint", "sequence"]


def test_lost_weights_are_a_sentence(run, cohort, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(copy / "frame_joint")
    with pytest.raises(SonotempoError, match=r"frame_joint.*lacks the weights.*sequence"):
        run_job(Job("frame_joint", FOLD, copy), experiment_of(), cohort, Told())


def test_the_arm_needs_the_setting():
    with pytest.raises(ValueError, match=r"frame_joint.*share_encoder=joint \(it is frozen\)"):
        tiny_experiment(arms=ARMS)


def test_a_run_exports_its_pair_by_default(run, cohort, tmp_path):
    import yaml

    from sonotempo.export.job import _opened  # what `sonotempo export --pair` opens

    copy = shutil.copytree(run, tmp_path / "run")
    save_folds([FOLD], copy / "folds.json")
    settings = experiment_of().model_dump(mode="json")
    (copy / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    assert list(_opened(copy, 0, (), pair=True).models) == ["frame_joint", "sequence"]
