"""The manifest, without a display."""

import subprocess
import sys

from npe2 import PluginManifest


def test_found_through_the_installed_package():
    manifest = PluginManifest.from_distribution("sonotempo")
    assert manifest.name == "sonotempo"
    assert manifest.package_version


def test_everything_contributed_can_be_imported():
    PluginManifest.from_distribution("sonotempo").validate_imports()


def test_the_command_line_validator_agrees():
    result = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", "--imports", "sonotempo"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
