"""What the widgets remember from one session to the next."""

from pathlib import Path

from qtpy.QtCore import QSettings

_ORGANISATION = "sonotempo"
_APPLICATION = "napari"
_GROUP = "live"


class LiveSettings:
    """Named values in an INI file of the user; a value that cannot be read is the default."""

    def __init__(self) -> None:
        self._values = QSettings(
            QSettings.Format.IniFormat, QSettings.Scope.UserScope, _ORGANISATION, _APPLICATION
        )

    @property
    def folder(self) -> Path:
        """Where the values are kept; other files of the plugin can be there too."""
        return Path(self._values.fileName()).parent

    def text(self, key: str, default: str = "") -> str:
        """Return a text."""
        return str(self._values.value(f"{_GROUP}/{key}", default))

    def number(self, key: str, default: float) -> float:
        """Return a number."""
        try:
            return float(self.text(key, str(default)))
        except ValueError:
            return default

    def flag(self, key: str, default: bool) -> bool:
        """Return yes or no."""
        return self.text(key, "yes" if default else "no") == "yes"

    def save(self, key: str, value: str | float | bool | Path) -> None:
        """Remember a value."""
        text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
        self._values.setValue(f"{_GROUP}/{key}", text)
