"""Disks that fill up."""

import errno
import io
from pathlib import Path


class SmallDisk:
    """Gives files that together take only so many bytes.

    ``monkeypatch.setattr(Path, "open", disk.in_place_of_open())`` puts it under all paths.
    """

    def __init__(self, room_bytes):
        self.room_bytes = room_bytes

    def in_place_of_open(self):
        def opened(path, mode="r", **more):
            return self.open(path, mode)

        return opened

    def open(self, path, mode):
        file = io.FileIO(str(path), mode.replace("b", ""))
        write = file.write

        class Small(io.RawIOBase):
            def write(_, data):
                if len(data) > self.room_bytes and self.room_bytes <= 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
                taken = write(bytes(data[: self.room_bytes]))
                self.room_bytes -= taken
                return taken

            def seek(_, *arguments):
                return file.seek(*arguments)

            def tell(_):
                return file.tell()

            def close(_):
                file.close()

        return Small()


def files_of(folder):
    """Names of all that is in a folder."""
    return sorted(path.name for path in Path(folder).iterdir())
