"""The workaround for a broken torchvision, each case in a separate process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BROKEN = """
import torch

@torch.library.register_fake("torchvision::nms")
def nms(dets, scores, iou_threshold):
    return dets

@torch.library.register_fake("torchvision::qnms")
def qnms(dets, scores, iou_threshold):
    return dets
"""


def run(code: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run code after importing the workaround, with a folder in front of the installed packages."""
    found_first = {"PYTHONPATH": str(path)} if path else {}
    return subprocess.run(
        [sys.executable, "-c", f"from sonotempo._torchvision import ensure_torchvision\n{code}"],
        env={**os.environ, **found_first},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def fake(tmp_path):
    """Write a package 'torchvision' with the given text; return the folder that holds it."""

    def write(text: str, **submodules: str) -> Path:
        package = tmp_path / "torchvision"
        package.mkdir()
        for name, content in {"__init__": text, **submodules}.items():
            (package / f"{name}.py").write_text(content)
        return tmp_path

    return write


def test_healthy_is_left_alone(fake):
    result = run(
        "import sys\n"
        "ensure_torchvision(); ensure_torchvision()\n"
        "assert sys.modules['torchvision'].healthy\n"
        "assert 'torch' not in sys.modules",
        fake("healthy = True"),
    )
    assert result.returncode == 0, result.stderr


def test_absent_is_left_alone():
    result = run(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torchvision':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "ensure_torchvision()\n"
        "assert 'torchvision' not in sys.modules\n"
        "assert 'torch' not in sys.modules"
    )
    assert result.returncode == 0, result.stderr


def test_broken_is_repaired(fake):
    text = "from . import early\nfrom . import registrations"
    path = fake(text, early="count = 1", registrations=BROKEN)
    result = run(
        "import gc, torch\n"
        "try:\n"
        "    import torchvision\n"
        "except RuntimeError as error:\n"
        "    assert 'operator torchvision::nms does not exist' in str(error)\n"
        "else:\n"
        "    raise AssertionError('not broken')\n"
        "ensure_torchvision(); ensure_torchvision(); gc.collect()\n"
        "import torchvision\n"
        "assert torchvision.early is __import__('sys').modules['torchvision.early']\n"
        "assert torch.ops.torchvision.nms.default\n"
        "assert torch.ops.torchvision.qnms.default",
        path,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise RuntimeError('another trouble')", "RuntimeError: another trouble"),
        ("import not_installed_anywhere", "No module named 'not_installed_anywhere'"),
    ],
)
def test_other_errors_pass_on(fake, text, message):
    result = run("ensure_torchvision()", fake(text))
    assert result.returncode == 1
    assert message in result.stderr


def test_the_installed_one():
    result = run(
        "ensure_torchvision()\n"
        "import torchvision, timm, lightning, torchmetrics\n"
        "import torch\n"
        "model = timm.create_model('resnet18').eval()\n"
        "assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 1000)"
    )
    assert result.returncode == 0, result.stderr
