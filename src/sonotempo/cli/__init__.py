"""The command line: one command per verb, each a thin call. Imports wait until they are needed.

Commands lie in files named after the part of sonotempo that they call. This one puts them together:
a new command is a function there and a line here.
"""

import errno
import io
import sys
from typing import Annotated

import typer

from sonotempo import __version__
from sonotempo.cli import capture, data, demo, export, live, model, phantom, selfcheck, training
from sonotempo.errors import SonotempoError

app = typer.Typer(
    name="sonotempo",
    help="Frame and sequence U-nets for ultrasound-guided regional anaesthesia, compared fairly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"sonotempo {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Frame and sequence U-nets for ultrasound-guided regional anaesthesia, compared fairly."""


# In the order of `sonotempo --help`, which shows groups last.
app.command()(training.crossval)
app.command()(training.evaluate)
app.command()(live.stream)
app.command()(live.live)
app.command()(live.segment)
app.command()(export.export)
app.command()(training.compare)
app.command()(demo.demo)
app.command()(selfcheck.selfcheck)
app.add_typer(data.group, name="data", no_args_is_help=True)
app.add_typer(capture.group, name="capture", no_args_is_help=True)
app.add_typer(model.group, name="model", no_args_is_help=True)
app.add_typer(phantom.group, name="phantom", no_args_is_help=True)

# What `sonotempo[train]` installs and a command may miss.
_TRAINING_PACKAGES = frozenset(
    {"torch", "torchvision", "lightning", "monai", "timm", "pandas", "pyarrow", "safetensors"}
    | {"matplotlib", "einops", "onnx", "onnxscript", "statsmodels", "jinja2", "contourpy"}
)

# What a disk answers in the middle of hours of work, wherever that is: no fault of the program.
_DISK_REFUSALS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
)


def main() -> None:
    """Run a command; a user's mistake ends in one sentence and status 2."""
    for stream in (sys.stdout, sys.stderr):
        # Names of files may hold what the terminal's encoding cannot show.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except SonotempoError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        if error.name not in _TRAINING_PACKAGES:
            raise
        _fail(f"this command needs {error.name}; install it with: pip install 'sonotempo[train]'")
    except OSError as error:
        if error.errno not in _DISK_REFUSALS:
            raise
        _fail(
            f"{error.filename or 'the disk'}: {error.strerror}; solve this or name another folder, "
            "and repeat the command: what was written is kept"
        )


def _fail(sentence: str) -> None:
    print(f"sonotempo: {sentence}", file=sys.stderr)
    sys.exit(2)
