"""Finding and loading `pyclariuscast`, the Python module of the Clarius Cast SDK."""

import ctypes
import importlib
import importlib.util
import os
import re
import struct
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
# First bytes of a loadable file, and what they are for.
_ELF, _PE = b"\x7fELF", b"MZ"
_MACH_O, _UNIVERSAL = b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"
_ELF_MACHINES = {0x3E: "x86_64", 0xB7: "aarch64"}
_MACH_MACHINES = {0x01000007: "x86_64", 0x0100000C: "aarch64"}
_PE_MACHINES = {0x8664: "x86_64", 0xAA64: "aarch64"}
_OTHER = "another machine"
_HOW = (
    f"It is not on PyPI: unpack cast-VERSION-PLATFORM.zip from {RELEASES} (VERSION as in the "
    f"Clarius App), use Python {' or '.join(PYTHON_VERSIONS)}, and name the unpacked folder: "
    "sonotempo stream clarius://192.168.1.1:5828 --sdk FOLDER"
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
    """Where the SDK lies.

    Attributes:
        module: the file of `pyclariuscast`.
        library: `libcast.so` or its like, or None if it is not beside the module.
    """

    module: Path
    library: Path | None


def find_sdk(sdk: Path | None) -> SdkFiles:
    """Find the SDK in a folder (as unpacked, or rearranged), or else installed; loads nothing.

    Raises:
        SourceError: it is not there, or not for this version of Python.
    """
    if sdk is None:
        return _installed()
    folder = sdk.expanduser().absolute()
    if not folder.is_dir():
        raise SourceError(f"there is no folder {folder} with the Clarius Cast SDK in it. {_HOW}")
    own = f"python{sys.version_info.major}{sys.version_info.minor}"
    for place in (folder / own, folder):
        for name in _MODULE_FILES:
            if (place / name).is_file():
                return SdkFiles(place / name, _library_near(place, folder, folder.parent))
    versions = built_for(folder)
    if versions:
        raise SourceError(
            f"the Clarius Cast SDK in {folder} is built for Python {', '.join(versions)}, but this "
            f"is Python {sys.version_info.major}.{sys.version_info.minor}; run sonotempo in one "
            f"that it is built for. {_HOW}"
        )
    raise SourceError(f"there is no {_MODULE} in {folder}. {_HOW}")


def built_for(folder: Path) -> tuple[str, ...]:
    """Return the Python versions that the SDK in a folder has modules for, as far as it tells.

    The unpacked SDK has a folder for each: ``python310``, ``python311``…
    """
    found = []
    for place in folder.glob("python3*"):
        version = re.fullmatch(r"python3(\d+)", place.name)
        if version and any((place / name).is_file() for name in _MODULE_FILES):
            found.append(int(version[1]))
    return tuple(f"3.{minor}" for minor in sorted(found))


def built_on(head: bytes) -> str:
    """Tell system and machine from the first bytes of a loadable file; empty if unknown.

    >>> built_on(bytes.fromhex("7f454c46") + bytes(14) + bytes.fromhex("3e00"))
    'Linux, x86_64'
    """
    if head.startswith(_ELF) and len(head) >= 20:
        code = struct.unpack_from("<H", head, 18)[0]
        return f"Linux, {_ELF_MACHINES.get(code, _OTHER)}"
    if head[:4] == _UNIVERSAL:
        return "macOS"
    if head[:4] == _MACH_O and len(head) >= 8:
        code = struct.unpack_from("<I", head, 4)[0]
        return f"macOS, {_MACH_MACHINES.get(code, _OTHER)}"
    if head.startswith(_PE) and len(head) >= 64:
        at = struct.unpack_from("<I", head, 60)[0]
        if head[at : at + 4] == b"PE\0\0" and len(head) >= at + 6:
            code = struct.unpack_from("<H", head, at + 4)[0]
            return f"Windows, {_PE_MACHINES.get(code, _OTHER)}"
    return ""


def machine_name(name: str) -> str:
    """Return one name for each kind of machine, whatever the system calls it.

    >>> machine_name("AMD64"), machine_name("arm64")
    ('x86_64', 'aarch64')
    """
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name.lower(), name)


def load_sdk(sdk: Path | None) -> Any:
    """Import `pyclariuscast`, its library first as the vendor's examples do.

    Only to be called in a process that may die: the library is known to take its process along.

    Raises:
        SourceError: it is not there, or it cannot be loaded, with the reason and the remedy.
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
            f"{_remedy(str(error))}"
        ) from error


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
    """Make the library's symbols known before the module asks for them."""
    if sys.platform == "win32":
        os.add_dll_directory(str(library.parent))
    else:
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)


def _remedy(reason: str) -> str:
    """Tell what usually stands behind a loader's message.

    >>> _remedy("/lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found")[:40]
    'It is built for another version of Linux'
    """
    if re.search(r"GLIBC|undefined symbol", reason):
        return (
            "It is built for another version of Linux: take the asset that names this machine's "
            f"Ubuntu from {RELEASES}"
        )
    if re.search(
        r"wrong ELF class|invalid ELF header|mach-o|incompatible architecture|Win32|exec format",
        reason,
        re.IGNORECASE,
    ):
        return f"It is built for another kind of machine: take this one's asset from {RELEASES}"
    if re.search(r"cannot open shared object|Library not loaded|DLL load failed", reason):
        return (
            "A library that it needs is missing: unpack the whole zip, and keep "
            f"{_LIBRARIES.get(sys.platform, 'libcast.so')} in its folder"
        )
    return _HOW
