import platform
import struct
import sys

import pytest

from fakes.clarius import SDK
from sonotempo.errors import SourceError
from sonotempo.live.sources.clarius.sdk import built_for, find_sdk, load_sdk, remedy

OWN = f"python{sys.version_info.major}{sys.version_info.minor}"
LIBRARY = {"linux": "libcast.so", "darwin": "libcast.dylib", "win32": "cast.dll"}[sys.platform]


def unpacked(folder, *versions, library=True):
    """An SDK as the vendor's zip unpacks, with empty files."""
    for version in versions:
        (folder / version).mkdir(parents=True)
        (folder / version / "pyclariuscast.so").touch()
    if library:
        (folder / LIBRARY).touch()
    return folder


@pytest.fixture
def _own_path(monkeypatch):
    """Give back what loading does to the interpreter."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "pyclariuscast", raising=False)
    yield
    sys.modules.pop("pyclariuscast", None)


def test_the_unpacked_zip_is_found_for_this_python(tmp_path):
    files = find_sdk(unpacked(tmp_path, "python38", OWN))
    assert files.module == tmp_path / OWN / "pyclariuscast.so"
    assert files.library == tmp_path / LIBRARY


def test_the_folder_of_one_python_will_do(tmp_path):
    files = find_sdk(unpacked(tmp_path, OWN) / OWN)
    assert files.module == tmp_path / OWN / "pyclariuscast.so"
    assert files.library == tmp_path / LIBRARY


def test_a_module_copied_beside_its_library_is_found(tmp_path):
    (tmp_path / "pyclariuscast.so").touch()
    assert find_sdk(tmp_path).module == tmp_path / "pyclariuscast.so"
    assert find_sdk(tmp_path).library is None


def test_a_build_for_other_pythons_is_refused_with_their_versions(tmp_path):
    folder = unpacked(tmp_path, "python38", "python39", "python310")
    assert built_for(folder) == ("3.8", "3.9", "3.10")
    with pytest.raises(SourceError, match=r"built for Python 3\.8, 3\.9, 3\.10, but this is"):
        find_sdk(folder)


@pytest.mark.parametrize("missing", ["folder", "module", "installed"])
def test_without_the_sdk_it_says_where_from_for_whom_and_what_to_type(tmp_path, missing):
    sdk = {"folder": tmp_path / "none", "module": tmp_path, "installed": None}[missing]
    with pytest.raises(SourceError) as refused:
        find_sdk(sdk)
    for part in (
        "https://github.com/clariusdev/cast/releases",
        "Python 3.11 or 3.12",
        "--sdk FOLDER on the command line, or SDK in the window",
    ):
        assert part in str(refused.value)


@pytest.mark.usefixtures("_own_path")
def test_an_installed_module_is_found_and_loaded(monkeypatch):
    monkeypatch.syspath_prepend(str(SDK))
    assert find_sdk(None).module == SDK / "pyclariuscast.py"
    assert load_sdk(None).__file__ == str(SDK / "pyclariuscast.py")


@pytest.mark.usefixtures("_own_path")
def test_a_module_in_a_folder_is_loaded():
    assert hasattr(load_sdk(SDK), "Caster")


@pytest.mark.usefixtures("_own_path")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows loads .pyd files")
def test_a_library_that_cannot_be_loaded_is_named_with_the_remedy(tmp_path):
    folder = unpacked(tmp_path, OWN)
    (folder / LIBRARY).write_bytes(b"no library" * 100)
    with pytest.raises(SourceError, match="another kind of machine"):
        load_sdk(folder)


@pytest.mark.usefixtures("_own_path")
@pytest.mark.skipif(sys.platform != "linux", reason="an ELF file is refused otherwise elsewhere")
@pytest.mark.parametrize("written", ["text", "32 bit", "other processor"])
def test_a_module_for_another_machine_is_named_with_this_one(tmp_path, written):
    other = 0x3E if platform.machine() == "aarch64" else 0xB7
    word = 1 if written == "32 bit" else 2
    header = b"\x7fELF" + bytes((word, 1, 1)) + bytes(9) + struct.pack("<HHI", 3, other, 1)
    module = tmp_path / "pyclariuscast.so"
    module.write_bytes(b"no library" * 100 if written == "text" else header + bytes(200))
    with pytest.raises(SourceError) as refused:
        load_sdk(tmp_path)
    assert f"{module} cannot be loaded" in str(refused.value)
    assert f"another kind of machine than this one (Linux on {platform.machine()})" in str(
        refused.value
    )


@pytest.mark.usefixtures("_own_path")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows loads .pyd files")
def test_a_module_for_windows_is_named_with_this_machine(tmp_path):
    (tmp_path / "pyclariuscast.pyd").touch()
    with pytest.raises(SourceError, match="another kind of machine than this one"):
        load_sdk(tmp_path)


@pytest.mark.usefixtures("_own_path")
def test_a_module_that_lacks_a_symbol_is_named_with_the_remedy(tmp_path):
    reason = "libcast.so: undefined symbol: _ZN5boost6python"
    (tmp_path / "pyclariuscast.py").write_text(f"raise ImportError({reason!r})")
    with pytest.raises(SourceError, match="asset that names this machine's Ubuntu"):
        load_sdk(tmp_path)


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("version `GLIBCXX_3.4.32' not found", "another version of Linux"),
        ("pyclariuscast.so: undefined symbol: _PyUnicode_Ready", "another version of Python"),
        ("wrong ELF class: ELFCLASS32", "another kind of machine"),
        ("(mach-o file, but is an incompatible architecture)", "another kind of machine"),
        ("%1 is not a valid Win32 application", "another kind of machine"),
        ("DLL load failed while importing pyclariuscast", "unpack the whole zip"),
        ("libQt5Core.so.5: cannot open shared object file", "unpack the whole zip"),
        ("something new", "not on PyPI"),
    ],
)
def test_a_loaders_message_is_turned_into_what_to_do(reason, advice):
    assert advice in remedy(reason)
