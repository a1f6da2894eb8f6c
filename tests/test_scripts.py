"""The pure parts of the scripts: nothing is installed and no display is started."""

import ast
import io
import os
import signal
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest

from fakes.scripts import SCRIPTS, load_script

environment = load_script("_environment")
display = load_script("_display")
browser = load_script("_browser")
demo = load_script("demo")
test_script = load_script("test")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\n")
    return tmp_path


@pytest.fixture
def repository(root, monkeypatch):
    """A repository whose installs are only recorded, in the list that is returned."""
    commands = []

    def run(command, cwd=None, variables=None):
        commands.append([str(word) for word in command])
        return 0

    def make_venv(python, clear):
        commands.append(["venv", str(clear)])
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()

    monkeypatch.setattr(environment, "ROOT", root)
    monkeypatch.setattr(environment, "VENV", root / ".venv")
    monkeypatch.setattr(
        environment, "program", lambda name: root / ".venv" / "bin" / name, raising=True
    )
    monkeypatch.setattr(environment, "_make_venv", make_venv)
    monkeypatch.setattr(environment, "run", run)
    return commands


class TestPython:
    @pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 1), (4, 0, 0)])
    def test_new_enough(self, version):
        assert environment.too_old(version) is None

    def test_too_old_is_one_sentence(self):
        message = environment.too_old((3, 8, 10))
        assert "needs Python 3.11 or newer, but this is Python 3.8.10" in message
        assert "\n" not in message

    @pytest.mark.parametrize("name", ["_environment", "_display", "_browser", "demo", "test"])
    def test_an_old_python_can_parse_the_scripts(self, name):
        source = (SCRIPTS / f"{name}.py").read_text(encoding="utf-8")
        ast.parse(source, name, feature_version=(3, 8))

    def test_start_says_so_and_runs_nothing(self, monkeypatch):
        monkeypatch.setattr(environment.sys, "version_info", (3, 9, 2))
        with pytest.raises(SystemExit, match=r"this is Python 3\.9\.2"):
            environment.start(pytest.fail, [])


class TestPaths:
    def test_windows(self):
        path = environment.program("python", PureWindowsPath("C:/sono/.venv"), "nt")
        assert str(path) == r"C:\sono\.venv\Scripts\python.exe"

    def test_elsewhere(self):
        path = environment.program("python", Path("sono/.venv"), "posix")
        assert path == Path("sono/.venv/bin/python")


class TestStamp:
    def test_comes_back_as_written(self, tmp_path):
        stamp = environment.Stamp("/here", "abc", ("all", "dev"))
        environment.write_stamp(tmp_path, stamp)
        assert environment.read_stamp(tmp_path) == stamp
        assert len(list(tmp_path.iterdir())) == 1

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"root": "/here"}'])
    def test_unreadable_is_the_same_as_none(self, tmp_path, text):
        (tmp_path / environment.STAMP_NAME).write_text(text)
        assert environment.read_stamp(tmp_path) is None

    @pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
    def test_each_file_changes_the_fingerprint(self, root, name):
        before = environment.fingerprint(root)
        assert environment.fingerprint(root) == before
        (root / name).write_text("other")
        assert environment.fingerprint(root) != before

    def test_first_install(self, root):
        assert environment.extras_to_install(None, root, ["dev", "all"]) == ("all", "dev")

    def test_nothing_to_do(self, root):
        stamp = environment.Stamp(str(root), environment.fingerprint(root), ("all", "dev"))
        assert environment.extras_to_install(stamp, root, ["all", "dev"]) == ()
        assert environment.extras_to_install(stamp, root, ["all"]) == ()

    def test_more_is_added_to_what_is_there(self, root):
        stamp = environment.Stamp(str(root), environment.fingerprint(root), ("all",))
        assert environment.extras_to_install(stamp, root, ["all", "dev"]) == ("all", "dev")

    def test_changed_packaging_keeps_the_extras(self, root):
        stamp = environment.Stamp(str(root), "of older files", ("all", "dev"))
        assert environment.extras_to_install(stamp, root, ["all"]) == ("all", "dev")

    def test_a_moved_repository_starts_from_scratch(self, root):
        stamp = environment.Stamp("/elsewhere", environment.fingerprint(root), ("all", "dev"))
        assert environment.extras_to_install(stamp, root, ["all"]) == ("all",)


class TestPrepare:
    def test_installs_once(self, repository, root, capsys):
        python = environment.prepare(["all", "dev"])
        assert repository[0] == ["venv", "False"]
        assert repository[1][:4] == [str(python), "-m", "pip", "install"]
        assert repository[1][-2:] == ["--editable", ".[all,dev]"]
        assert "3.3 GB" in capsys.readouterr().out
        repository.clear()
        environment.prepare(["all", "dev"])
        environment.prepare(["all"])
        assert repository == []
        assert capsys.readouterr().out == ""

    def test_a_lost_interpreter_is_replaced_with_all_extras(self, repository, root):
        environment.prepare(["all", "dev"]).unlink()
        repository.clear()
        environment.prepare(["all"])
        assert repository[1][-1] == ".[all,dev]"

    def test_a_moved_one_is_created_again(self, repository, root):
        environment.prepare(["all"])
        stamp = environment.read_stamp(root / ".venv")
        environment.write_stamp(root / ".venv", stamp._replace(root="/elsewhere"))
        repository.clear()
        environment.prepare(["all"])
        assert repository[0] == ["venv", "True"]

    def test_a_failed_install_leaves_no_stamp(self, repository, root, monkeypatch, capsys):
        environment.prepare(["all"])
        monkeypatch.setattr(environment, "run", lambda *args, **kwargs: 3)
        with pytest.raises(SystemExit) as caught:
            environment.prepare(["all", "dev"])
        assert caught.value.code == 3
        assert environment.read_stamp(root / ".venv") is None
        assert "Run the script again" in capsys.readouterr().err

    def test_an_interrupted_install_is_done_again(self, repository, monkeypatch):
        def interrupted(*args, **kwargs):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(environment, "run", interrupted)
            with pytest.raises(KeyboardInterrupt):
                environment.prepare(["all"])
        repository.clear()
        environment.prepare(["all"])
        assert repository[-1][-1] == ".[all]"


class TestRun:
    def test_status_and_variables_pass_on(self):
        code = "import os, sys; sys.exit(int(os.environ['WANTED']))"
        assert environment.run([sys.executable, "-c", code], variables={"WANTED": "7"}) == 7

    def test_the_process_is_ended_when_the_script_is(self, monkeypatch):
        started = []

        class Interrupted(subprocess.Popen):
            def wait(self, timeout=None):
                if not started:
                    started.append(self)
                    raise SystemExit(143)
                return super().wait(timeout)

        monkeypatch.setattr(environment.subprocess, "Popen", Interrupted)
        with pytest.raises(SystemExit):
            environment.run([sys.executable, "-c", "import time; time.sleep(60)"])
        assert started[0].poll() is not None

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_the_command_gets_the_signal_and_may_finish_its_step(self, number, tmp_path):
        """A signal to the script alone, as `kill` and service managers send it."""
        command, script = tmp_path / "command.py", tmp_path / "script.py"
        command.write_text(
            "import signal, sys, time\n"
            "def leave(number, frame):\n"
            "    time.sleep(0.2)\n"
            "    print('stopped by', int(number), flush=True)\n"
            "    sys.exit(128 + number)\n"
            "for number in (signal.SIGTERM, signal.SIGINT):\n"
            "    signal.signal(number, leave)\n"
            "print('ready', flush=True)\n"
            "time.sleep(60)\n"
        )
        script.write_text(
            f"import sys\nsys.path.insert(0, {str(SCRIPTS)!r})\n"
            "from _environment import run, start\n"
            f"start(lambda _: run([sys.executable, {str(command)!r}]), [])\n"
        )
        with subprocess.Popen(
            [sys.executable, script], stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            assert process.stdout.read() == f"stopped by {int(number)}\n"
        assert process.returncode == 128 + number

    @pytest.mark.parametrize(("status", "expected"), [(0, 0), (5, 5), (-6, 134)])
    def test_start_leaves_with_the_status(self, status, expected, monkeypatch):
        monkeypatch.setattr(environment.signal, "signal", lambda *args: None)
        with pytest.raises(SystemExit) as caught:
            environment.start(lambda arguments: status, [])
        assert caught.value.code == expected


class TestLibraries:
    def test_nothing_missing(self):
        assert display.missing_packages(lambda name: None, lambda name: f"/bin/{name}") == []

    def test_finds_the_server_and_a_library(self):
        def load_all_but_one(name):
            if name == "libxcb-icccm.so.4":
                raise OSError(name)

        missing = display.missing_packages(load_all_but_one, lambda name: None)
        assert missing == ["xvfb", "libxcb-icccm4"]

    def test_the_printed_line_can_be_pasted(self):
        line = display.install_line(["xvfb", "libegl1"])
        assert line.endswith("apt-get install -y --no-install-recommends xvfb libegl1")
        assert "\n" not in line

    def test_reason_on_debian_is_the_line(self):
        assert display.install_line(["xvfb"]) in display.skip_reason(["xvfb"], apt=True)

    def test_reason_elsewhere_names_the_files(self):
        reason = display.skip_reason(["xvfb", "libegl1"], apt=False)
        assert "no apt-get" in reason
        assert reason.endswith("Xvfb, libEGL.so.1")

    @pytest.mark.parametrize(("user", "installs"), [(0, True), (1000, False)])
    def test_only_root_installs(self, user, installs, monkeypatch, capsys):
        commands = []
        answers = [["xvfb"], []]
        monkeypatch.setattr(display, "missing_packages", lambda: answers.pop(0))
        monkeypatch.setattr(display, "run", lambda command, **_: commands.append(command) or 0)
        monkeypatch.setattr(display.shutil, "which", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr(display.os, "geteuid", lambda: user, raising=False)
        reason = display.provide_libraries()
        if installs:
            assert reason is None
            assert [command[3] for command in commands] == ["update", "install"]
            assert commands[1][-1] == "xvfb"
        else:
            assert "sudo apt-get" in reason
            assert commands == []


class TestDisplay:
    def test_asked_to_skip(self, monkeypatch, capsys):
        monkeypatch.setenv(display.SKIP_VARIABLE, "no time")
        with display.gui_variables() as variables:
            assert variables == {display.SKIP_VARIABLE: "no time"}
        assert "skipped: no time" in capsys.readouterr().out

    def test_missing_libraries_skip(self, monkeypatch, capsys):
        monkeypatch.delenv(display.SKIP_VARIABLE, raising=False)
        monkeypatch.setattr(display.sys, "platform", "linux")
        monkeypatch.setattr(display, "provide_libraries", lambda: "because")
        with display.gui_variables() as variables:
            assert variables == {display.SKIP_VARIABLE: "because"}

    @pytest.mark.parametrize("platform", ["win32", "darwin"])
    def test_the_desktop_elsewhere(self, platform, monkeypatch):
        monkeypatch.delenv(display.SKIP_VARIABLE, raising=False)
        monkeypatch.setattr(display.sys, "platform", platform)
        with display.gui_variables() as variables:
            assert variables == {}

    @pytest.mark.skipif(os.name == "nt", reason="no X server on Windows")
    @pytest.mark.parametrize("code", ["import time; time.sleep(60)", "pass"])
    def test_the_server_is_ended_in_all_cases(self, code, monkeypatch):
        """A stand-in that answers (and lives on), and one that dies at once."""
        servers = []

        def popen(command, pass_fds, **options):
            if "sleep" in code:
                os.write(pass_fds[0], b"42\n")
            server = subprocess.Popen([sys.executable, "-c", code], pass_fds=pass_fds)
            servers.append(server)
            return server

        monkeypatch.setattr(
            display,
            "subprocess",
            type("fake", (), {"Popen": staticmethod(popen), "DEVNULL": subprocess.DEVNULL}),
        )

        def use_it():
            with display.virtual_display() as name:
                assert name == ":42"
                raise KeyError

        with pytest.raises((KeyError, SystemExit)):
            use_it()
        assert servers[0].poll() is not None


class TestBrowser:
    @pytest.fixture
    def machine(self, monkeypatch):
        """A Linux machine with apt-get and no browser; returns what is run on it."""
        commands = []
        monkeypatch.delenv(browser.SKIP_VARIABLE, raising=False)
        monkeypatch.setattr(browser.sys, "platform", "linux")
        monkeypatch.setattr(
            browser.shutil, "which", lambda name: "/apt" if name == "apt-get" else None
        )
        monkeypatch.setattr(display, "run", lambda command, **_: commands.append(command) or 0)
        return commands

    def test_asked_to_skip(self, monkeypatch, capsys):
        monkeypatch.setenv(browser.SKIP_VARIABLE, "no time")
        assert browser.browser_variables() == {browser.SKIP_VARIABLE: "no time"}
        assert "skipped: no time" in capsys.readouterr().out

    def test_one_that_is_there_is_taken(self, machine, monkeypatch):
        monkeypatch.setattr(browser.shutil, "which", lambda name: f"/usr/bin/{name}")
        assert browser.browser_variables() == {}
        assert machine == []

    @pytest.mark.parametrize(("user", "runs"), [(0, ["update", "install"]), (1000, [])])
    def test_only_root_installs(self, user, runs, machine, monkeypatch):
        monkeypatch.setattr(browser.os, "geteuid", lambda: user, raising=False)
        reason = browser.browser_variables()[browser.SKIP_VARIABLE]
        assert display.install_line(["chromium"]) in reason
        assert [command[3] for command in machine] == runs

    def test_without_apt_the_programs_are_named(self, machine, monkeypatch):
        monkeypatch.setattr(browser.shutil, "which", lambda name: None)
        assert "none of chromium, " in browser.provide_browser()


class TestArguments:
    @pytest.mark.parametrize("given", [["--out", "here"], ["--out=here"]])
    def test_demo_leaves_a_given_folder(self, given):
        assert demo.demo_arguments(given) == given

    def test_demo_default_folder(self):
        assert demo.demo_arguments(["--seed", "3"]) == ["--out", "demo", "--seed", "3"]

    @pytest.mark.parametrize(
        ("cores", "workers"), [(1, []), (8, ["-n", "2", "--dist", "loadfile"])]
    )
    def test_pytest_gets_the_rest_and_two_workers_where_there_are_cores(
        self, cores, workers, monkeypatch
    ):
        monkeypatch.setattr(test_script.os, "cpu_count", lambda: cores)
        assert test_script.pytest_command("py", ["-k", "io"], {}) == [
            *("py", "-m", "pytest", *workers),
            *("-k", "io"),
        ]

    def test_skipping_keeps_qt_out(self):
        command = test_script.pytest_command("py", [], {display.SKIP_VARIABLE: "because"})
        assert "no:pytest-qt" in command

    @pytest.mark.parametrize("arguments", [["--lint", "-q"], ["-q"]])
    def test_lint_is_ours_and_stops_at_the_first_failure(self, arguments, monkeypatch):
        commands = []

        def run(command, **_):
            commands.append(command)
            return 9 if "mypy" in command else 0

        monkeypatch.setenv(display.SKIP_VARIABLE, "because")
        monkeypatch.setenv(browser.SKIP_VARIABLE, "because")
        monkeypatch.setattr(test_script, "prepare", lambda extras: Path("py"))
        monkeypatch.setattr(test_script, "run", run)
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        status = test_script.main(arguments)
        if "--lint" in arguments:
            assert status == 9
            assert commands[-1][-1] == "mypy"
        else:
            assert status == 0
            assert commands[0][-1] == "-q"  # after the workers


def test_ci_is_a_thin_call():
    text = (SCRIPTS.parent / ".ci" / "run").read_text(encoding="utf-8")
    assert "scripts/test.py --lint" in text
