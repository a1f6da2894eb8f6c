"""`sonotempo capture`: the capture cards and webcams of this machine."""

import typer

from sonotempo.cli.terminal import make_console

group = typer.Typer(help="Look at capture cards and webcams.")


@group.command("list")
def list_devices() -> None:
    """List capture cards and webcams, as `sonotempo live capture://NUMBER` takes them."""
    from sonotempo.live.sources.capture.devices import devices

    found = devices()
    console = make_console()
    for one in found:
        console.print(f"capture://{one.number}  {one.name}  ({one.path})", markup=False)
    if not found:
        console.print(
            "no capture card or webcam is connected; a screen is capture://screen", markup=False
        )
