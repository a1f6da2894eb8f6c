"""What the user is told: in the viewer as a notification, in a script as a warning."""

# napari is imported when there is something to say, so that finding this plugin costs nothing.
# ruff: noqa: PLC0415

import warnings


def has_viewer() -> bool:
    """Whether a window is open that notifications appear in."""
    import sys

    if "napari" not in sys.modules:
        return False
    from napari import current_viewer

    return current_viewer() is not None


def tell_error(message: str) -> None:
    """Tell what went wrong, without a traceback."""
    if has_viewer():
        from napari.utils.notifications import show_error

        show_error(message)
    else:
        warnings.warn(message, stacklevel=2)


def tell_warning(message: str) -> None:
    """Tell what the user should know before going on."""
    if has_viewer():
        from napari.utils.notifications import show_warning

        show_warning(message)
    else:
        warnings.warn(message, stacklevel=2)


def tell(message: str) -> None:
    """Tell what was done; silent in a script."""
    if has_viewer():
        from napari.utils.notifications import show_info

        show_info(message)
