"""Fit an exported model's temperatures to other recordings, such as those of your own clinic."""

from dataclasses import replace
from pathlib import Path

from sonotempo.config_file import experiment_on_grid
from sonotempo.errors import ConfigError
from sonotempo.export.confidence import CALIBRATED, calibration_words, with_temperatures
from sonotempo.export.graph import write_card
from sonotempo.export.parity import streamed_scores
from sonotempo.folders import make_folder, whole_file, writing
from sonotempo.live.models.card import ModelCard, read_card
from sonotempo.training.cohort import open_cohort
from sonotempo.training.job import shown_recordings
from sonotempo.training.progress import RunProgress


def recalibrate(
    model: Path,
    data: Path,
    out: Path,
    cache: Path,
    progress: RunProgress,
    *,
    follow_links: bool = False,
) -> ModelCard:
    """Measure what a model's probabilities mean on recordings with masks; write a calibrated copy.

    Masks and probabilities of the copy are those of the model. Only the confidence that the live
    window shows changes.

    Args:
        model: an ``.onnx`` file that ``sonotempo export`` wrote.
        data: recordings that the model was not trained on.
        out: the ``.onnx`` file to write; may be ``model`` itself.
        cache: folder for fitted frames.
        follow_links: whether links in the data may lead outside its folder.
        progress: advanced after every recording.

    Returns:
        The card of the copy.

    Raises:
        ModelError: not an exported file.
        ConfigError: ``out`` is not an ``.onnx`` file.
        RecordingError: the data cannot be used.
    """
    if out.suffix != ".onnx":
        raise ConfigError(f"--out {out} does not end in .onnx; give for example {out.stem}.onnx")
    card = read_card(model)
    plain = experiment_on_grid(card.structures.names, card.input_size, card.area)
    own = plain.data.model_copy(update={"root": data, "cache": cache, "follow_links": follow_links})
    experiment = plain.model_copy(update={"data": own})
    recordings = open_cohort(experiment, progress).recordings
    progress.step(f"measuring the confidence of {card.name}", len(recordings))
    _, reliabilities = streamed_scores(
        model, shown_recordings(recordings, experiment), progress.advance
    )
    card = with_temperatures(card, reliabilities)
    frames = sum(len(recording.scored) for recording in recordings)
    said = f"{calibration_words(card, reliabilities, frames)} of {data.name}"
    kept = (check for check in card.checks if not check.startswith(CALIBRATED))
    card = replace(card, checks=(*kept, said))
    make_folder(out.parent, "--out", ConfigError)
    with writing(out.parent, "--out", ConfigError), whole_file(out) as draft:
        draft.write_bytes(model.read_bytes())
        write_card(draft, card)
    progress.say(said)
    return card
