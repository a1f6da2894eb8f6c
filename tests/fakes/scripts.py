"""Scripts as modules: they are not a package, and are imported by their file."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

SCRIPTS = Path(__file__).parents[2] / "scripts"


def load_script(name: str) -> ModuleType:
    """Import a script by its file: with the folder on sys.path, 'test' would shadow another."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    if name.startswith("_"):  # the scripts import these by name
        sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
