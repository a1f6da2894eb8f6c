"""A session that is being opened in the background: first its pictures, then its models."""

import threading
from concurrent.futures import Future

from napari_sonotempo.live.session import LiveRequest, LiveSession, closed_quietly


class Opening:
    """Opens a session in a thread that ends when it is open, or has failed.

    Args:
        request: what to open.
    """

    def __init__(self, request: LiveRequest) -> None:
        self.request = request
        #: The session, as soon as pictures arrive.
        self.session: Future[LiveSession] = Future()
        #: None, as soon as the models are stepped.
        self.models: Future[None] = Future()
        self._is_cancelled = threading.Event()
        self._thread = threading.Thread(target=self._open, name="sonotempo opening")
        self._thread.start()

    def raise_if_failed(self) -> None:
        """Raise what has gone wrong so far.

        Raises:
            SonotempoError: something cannot be opened.
        """
        for future in (self.session, self.models):
            if future.done():
                future.result()

    def cancel(self) -> None:
        """Do not open what is not open yet; the session, if there is one, stays open."""
        self._is_cancelled.set()

    def close(self) -> None:
        """Wait until the thread has ended, and close the session, if there is one."""
        self.cancel()
        self._thread.join()
        if self.session.exception() is None:
            closed_quietly(self.session.result())

    def _open(self) -> None:
        try:
            session = LiveSession(self.request)
        except BaseException as error:  # noqa: BLE001 (raised where the result is used)
            self.session.set_exception(error)
            self.models.set_exception(error)
            return
        self.session.set_result(session)
        if self._is_cancelled.is_set():
            self.models.set_result(None)
            return
        try:
            session.open_models()
        except BaseException as error:  # noqa: BLE001 (raised where the result is used)
            self.models.set_exception(error)
        else:
            self.models.set_result(None)
