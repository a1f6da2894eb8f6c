"""Reads an experiment from a YAML file and the command line.

``key=value`` pairs override the file by dotted name. Unknown keys are errors that name the nearest
known one.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from sonotempo.config import Experiment
from sonotempo.errors import ConfigError, unknown_option


def known_keys(section: type[BaseModel] = Experiment, prefix: str = "") -> Iterator[str]:
    """Yield every setting's dotted name.

    >>> "train.epochs" in known_keys()
    True
    """
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from known_keys(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read an experiment from YAML and apply ``key=value`` overrides.

    Paths inside the file or the overrides are relative to the working folder.

    Raises:
        ConfigError: no such file, not a mapping, an unknown key, or a value out of range.
    """
    if not path.is_file():
        raise ConfigError(f"no config file at {path}; give the path of a .yaml file")
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not readable as YAML: {error}; mend that line") from error
    if not isinstance(settings, dict):
        raise ConfigError(f"{path} holds no settings; expected 'key: value' lines, as in configs/")
    for override in overrides:
        _apply(settings, override)
    return experiment_from(settings, str(path))


def experiment_from(settings: dict[str, Any], source: str) -> Experiment:
    """Check plain settings and return them as an experiment; ``source`` names them in errors.

    Raises:
        ConfigError: an unknown key, or a value out of range.
    """
    try:
        return Experiment.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(f"{source}: " + "; ".join(_sentences(error))) from error


def _apply(settings: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        raise ConfigError(f"override {override!r} has no value; expected key=value")
    if key not in set(known_keys()):
        raise ConfigError(_unknown(key))
    *parents, last = key.split(".")
    node = settings
    for parent in parents:
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            raise ConfigError(
                f"{parent} in the config file is {node!r}; expected 'key: value' lines"
            )
    try:
        node[last] = yaml.safe_load(value) if value else ""
    except yaml.YAMLError as error:
        raise ConfigError(f"the value of override {override!r} is not YAML: {error}") from error


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield _unknown(key)
        else:
            message = problem["msg"].removeprefix("Value error, ")
            where = f"{key}: " if key else ""
            given = "" if problem["type"] in ("missing", "value_error") else _given(problem)
            yield f"{where}{message}{given}"


def _given(problem: Any) -> str:
    return f" (given: {problem['input']!r})"


def _unknown(key: str) -> str:
    siblings = [known for known in known_keys() if known.count(".") == key.count(".")]
    nearest = unknown_option("key", key, [*siblings, *known_keys()])
    return nearest.partition(" Options:")[0].replace("'", "").rstrip(".")


def load_run(run: Path) -> Experiment:
    """Read the experiment of a run folder.

    Raises:
        ConfigError: the folder is not a run's.
    """
    path = run / "config.yaml"
    if not path.is_file():
        raise ConfigError(f"{run} is not a run folder: it has no config.yaml")
    return load_experiment(path)
