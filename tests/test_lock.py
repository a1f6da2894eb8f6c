"""The lock file agrees with what continuous integration installs."""

from fakes.scripts import SCRIPTS, load_script

lock = load_script("lock")
ROOT = SCRIPTS.parent


def test_the_lock_has_the_versions_of_the_constraints_and_hashes():
    assert lock.differences((ROOT / "constraints.txt").read_text(), lock.LOCK.read_text()) == []
    assert lock.LOCK.read_text().count("--hash=sha256:") > 1000


def test_another_version_and_a_missing_hash_are_named():
    said = lock.differences("Num_Py==2.0", "num-py==1.0\nscipy==1.1 \\\n    --hash=sha256:00")
    assert said == [
        "Num_Py is 1.0 in the lock and 2.0 in the constraints; run scripts/lock.py",
        "num-py==1.0 has no hash",
    ]
