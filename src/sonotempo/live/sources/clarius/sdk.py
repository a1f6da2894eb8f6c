"""Finding and loading `pyclariuscast`, the Python module of the Clarius Cast SDK."""

import ctypes
import importlib
import importlib.util
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sonotempo.errors import SourceError

RELEASES = "https://github.com/clariusdev/cast/releases"
#: Python versions that both the SDK is built for and this package runs on.
PYTHON_VERSIONS = ("3.11", "3.12")

_MODULE = "pyclariuscast"
_LIBRARIES = {"linux": "libcast.so", "darwin": "libcast.dylib", "win32": "cast.dll"}
_MODULE_FILES = (f"{_MODULE}.so", f"{_MODULE}.pyd", f"{_MODULE}.py")
# What loaders report about a file for another system or processor, or a damaged one.
_WRONG_FILE = re.compile(
    r"wrong ELF class|invalid ELF header|file too short|mach-o|incompatible architecture|Win32"
    rf"|exec format|No module named '{_MODULE}'",
    re.IGNORECASE,
)
_HOW = (
    f"It is not on PyPI: unpack cast-VERSION-PLATFORM.zip from {RELEASES} (VERSION as in the "
    f"Clarius App), use Python {' or '.join(PYTHON_VERSIONS)}, and name the unpacked folder: "
    "--sdk FOLDER on the command line, or SDK in the window"
)


class Caster(Protocol):
    """The methods of the SDK's one class that this package calls; true on success."""

    def init(self, path: str, width: int, height: int) -> object:
        """Prepare; keys are stored in the folder ``path``."""
        ...

    def connect(self, ip: str, port: int, certificate: str) -> object:
        """Connect to a probe."""
        ...

    def disconnect(self) -> object:
        """End the connection."""
        ...

    def destroy(self) -> object:
        """Free everything."""
        ...

    def setFormat(self, image_format: int) -> object:  # the SDK's name
        """Choose the format of images."""
        ...

    def userFunction(self, command: int, value: float) -> object:
        """Press a button of the scanner."""
        ...


@dataclass(frozen=True, slots=True)
class SdkFiles:
    """Where the SDK is.

    Attributes:
        module: the file of `pyclariuscast`.
        library: `libcast.so` or its counterpart, or None if it is not in the module's folder.
    """

    module: Path
    library: Path | None


def find_sdk(sdk: Path | None) -> SdkFiles:
    """Find the SDK in a folder (as unpacked, or rearranged), or else installed; loads nothing.

    Raises:
        SourceError: not found, or not for this version of Python.
    """
    if sdk is None:
        return _installed()
    folder = sdk.expanduser().absolute()
    if not folder.is_dir():
        raise SourceError(f"there is no folder {folder} with the Clarius Cast SDK. {_HOW}")
    own = f"python{_python_version().replace('.', '')}"
    for place in (folder / own, folder):
        for name in _MODULE_FILES:
            if (place / name).is_file():
                return SdkFiles(place / name, _library_near(place, folder, folder.parent))
    versions = built_for(folder)
    if versions:
        raise SourceError(
            f"the Clarius Cast SDK in {folder} is built for Python {', '.join(versions)}, but this "
            f"is Python {_python_version()}; run sonotempo in one "
            f"that it is built for. {_HOW}"
        )
    raise SourceError(f"there is no {_MODULE} in {folder}. {_HOW}")


def built_for(folder: Path) -> tuple[str, ...]:
    """Return the Python versions that the SDK in a folder has modules for, as far as known.

    The unpacked SDK has a folder for each: ``python310``, ``python311``…
    """
    found = []
    for place in folder.glob("python3*"):
        version = re.fullmatch(r"python3(\d+)", place.name)
        if version and any((place / name).is_file() for name in _MODULE_FILES):
            found.append(int(version[1]))
    return tuple(f"3.{minor}" for minor in sorted(found))


def load_sdk(sdk: Path | None) -> Any:
    """Import `pyclariuscast`, its library first as the vendor's examples do.

    Call it only in a process that may crash: the library is known to crash its process.

    Raises:
        SourceError: not found, or it cannot be loaded, with the loader's reason and the remedy.
    """
    files = find_sdk(sdk)
    try:
        if files.library is not None:
            _load_library(files.library)
        sys.path.insert(0, str(files.module.parent))
        return importlib.import_module(_MODULE)
    except (ImportError, OSError) as error:
        raise SourceError(
            f"the Clarius Cast SDK at {files.module} cannot be loaded: {error}. "
            f"{remedy(str(error))}"
        ) from error


def remedy(reason: str) -> str:
    """Translate a loader's message into what to do.

    >>> remedy("/lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found")[:40]
    'It is built for another version of Linux'
    """
    unopened = re.match(r"(.+): cannot open shared object", reason)
    # glibc reports a file for another processor as if it were missing.
    if _WRONG_FILE.search(reason) or (unopened and Path(unopened[1]).is_file()):
        here = f"{platform.system()} on {platform.machine()}"
        return (
            f"It is built for another kind of machine than this one ({here}), or damaged: unpack "
            f"this machine's cast-VERSION-PLATFORM.zip from {RELEASES}"
        )
    if unopened or re.search(r"Library not loaded|DLL load failed", reason):
        return (
            "A library that it needs is missing: unpack the whole zip, and keep "
            f"{_LIBRARIES.get(sys.platform, 'libcast.so')} in its folder"
        )
    if re.search(r"undefined symbol: _?Py[A-Z_]", reason):
        return (
            f"It is built for another version of Python than this {_python_version()}: use its "
            f"module for this one, or run sonotempo in Python {' or '.join(PYTHON_VERSIONS)}"
        )
    if re.search(r"GLIBC|undefined symbol", reason):
        return (
            "It is built for another version of Linux: take the asset that names this machine's "
            f"Ubuntu from {RELEASES}"
        )
    return _HOW


def _python_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _installed() -> SdkFiles:
    spec = importlib.util.find_spec(_MODULE)
    if spec is None or spec.origin is None:
        raise SourceError(
            f"the Clarius Cast SDK (the Python module {_MODULE}) is not installed. {_HOW}"
        )
    module = Path(spec.origin)
    return SdkFiles(module, _library_near(module.parent))


def _library_near(*folders: Path) -> Path | None:
    name = _LIBRARIES.get(sys.platform, "libcast.so")
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _load_library(library: Path) -> None:
    """Load the library's symbols, which the module needs."""
    if sys.platform == "win32":
        os.add_dll_directory(str(library.parent))
    else:
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
