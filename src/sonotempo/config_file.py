"""Read an experiment from a YAML file and ``key=value`` overrides with dotted keys.

The error for an unknown key names the nearest known one.
"""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from sonotempo.config import DataConfig, Experiment
from sonotempo.errors import ConfigError
from sonotempo.guard import guarded, shortened, shown
from sonotempo.plain_yaml import plain_yaml, plain_yaml_texts
from sonotempo.recording import Box


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

    A section with a ``kind`` can be set to one: ``engine=local`` is ``engine.kind=local``. Paths in
    the file and the overrides are relative to the working folder.

    Raises:
        ConfigError: no such file, not a mapping, an unknown key, or an invalid value.
    """
    if not path.is_file():
        raise ConfigError(f"no config file at {path}; give the path of a .yaml file")
    with guarded(f"{path} is not valid YAML", "correct that line", ConfigError):
        settings = plain_yaml(path.read_text(encoding="utf-8"))
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
        raise ConfigError(f"override {shown(override)} has no value; expected key=value")
    if f"{key}.kind" in set(known_keys()):
        key = f"{key}.kind"
    if key not in set(known_keys()):
        raise ConfigError(_unknown(key))
    *parents, last = key.split(".")
    node = settings
    for parent in parents:
        if isinstance(node.get(parent), str) and f"{parent}.kind" in set(known_keys()):
            node[parent] = {"kind": node[parent]}
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            raise ConfigError(
                f"{parent} in the config file is {shown(node)}; expected 'key: value' lines"
            )
    node[last] = _typed(value, _field_of(key), override)


def _field_of(key: str) -> FieldInfo:
    section: type[BaseModel] = Experiment
    *parents, last = key.split(".")
    for parent in parents:
        section = cast("type[BaseModel]", section.model_fields[parent].annotation)
    return section.model_fields[last]


def _typed(value: str, field: FieldInfo, override: str) -> object:
    """Return the text after ``=`` as it stands: the setting's own type reads it.

    Lists and mappings are written as in YAML, ``[a, b]`` and ``{a: 1}``; ``null`` empties a setting
    that may be empty.
    """
    if value == "null" and type(None) in get_args(field.annotation):
        return None
    kinds = {*(get_args(field.annotation) or (field.annotation,))} - {type(None)}
    if not value.startswith(("[", "{")) or kinds <= {str, Path}:
        return value
    what = f"override {shown(override)}: the value is not valid YAML"
    with guarded(what, "correct it", ConfigError):
        return plain_yaml_texts(value)


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        key = shortened(".".join(str(part) for part in problem["loc"]), 100)
        if problem["type"] == "extra_forbidden":
            yield _unknown(key)
            continue
        sentence = problem["msg"].removeprefix("Value error, ")
        if problem["type"] not in ("missing", "value_error"):
            sentence += f" (given: {_given(problem['input'])})"
        yield f"{key}: {sentence}" if key else sentence


def _given(value: object) -> str:
    return shortened(value, 100) if isinstance(value, str) else shown(value)


def _unknown(key: str) -> str:
    key = shortened(key, 100)
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


def experiment_on_grid(structures: Sequence[str], input_size: int, area: Box | None) -> Experiment:
    """Return the default experiment for recordings on the grid of an exported model.

    Args:
        structures: names in label order.
        input_size: side of the grid in pixels.
        area: the image area that was set by hand in training, or None.
    """
    return Experiment(
        name="exported",
        data=DataConfig(
            structures=list(structures),
            input_size=input_size,
            area=(area.top, area.left, area.bottom, area.right) if area else None,
        ),
    )
