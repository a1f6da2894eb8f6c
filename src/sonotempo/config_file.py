"""Read an experiment from a YAML file and ``key=value`` overrides with dotted keys.

The error for an unknown key names the nearest known one.
"""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from sonotempo.config import Experiment
from sonotempo.errors import ConfigError


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

    Paths in the file and the overrides are relative to the working folder.

    Raises:
        ConfigError: no such file, not a mapping, an unknown key, or an invalid value.
    """
    if not path.is_file():
        raise ConfigError(f"no config file at {path}; give the path of a .yaml file")
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}; correct that line") from error
    if not isinstance(settings, dict):
        raise ConfigError(f"{path} has no settings; expected 'key: value' lines, as in configs/")
    for override in overrides:
        _apply(settings, override)
    return experiment_from(settings, str(path))


def experiment_from(settings: dict[str, Any], source: str) -> Experiment:
    """Validate plain settings and return them as an experiment; errors begin with ``source``.

    Raises:
        ConfigError: an unknown key, or an invalid value.
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
        raise ConfigError(f"override {override!r}: the value is not valid YAML: {error}") from error


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield _unknown(key)
            continue
        sentence = problem["msg"].removeprefix("Value error, ")
        if problem["type"] not in ("missing", "value_error"):
            sentence += f" (given: {problem['input']!r})"
        yield f"{key}: {sentence}" if key else sentence


def _unknown(key: str) -> str:
    nearest = difflib.get_close_matches(key, known_keys(), n=1)
    return f"unknown key {key}" + (f"; did you mean {nearest[0]}?" if nearest else "")


def load_run(run: Path) -> Experiment:
    """Read the experiment of a run folder.

    Raises:
        ConfigError: not a run folder.
    """
    path = run / "config.yaml"
    if not path.is_file():
        raise ConfigError(f"{run} is not a run folder: it has no config.yaml")
    return load_experiment(path)
