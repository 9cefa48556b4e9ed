"""The log of a process: which lines there are, in which form, and where they go."""

import logging
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from time import time
from types import TracebackType

from myapp.infrastructure.api.handled_request import HandledRequest, RequestObserver
from myapp.infrastructure.logs.forms import Form, Json, Text
from myapp.infrastructure.logs.line_writer import LineWriter, Output
from myapp.infrastructure.logs.outputs import RotatedFile, Stream
from myapp.infrastructure.logs.records import formatter

_OURS = ("myapp", "__main__")

_log = logging.getLogger(__name__)


def set_up_logs(
    *, level: str, form: str, file: Path | None, requests: bool
) -> Sequence[RequestObserver]:
    """Let the process log, to standard error and to a file if one is given.

    The form is json, text or auto: text if standard error is a terminal. The file has JSON.
    The level is that of our own lines; of libraries only warnings are told, since what else
    they have to say may show what is stored. Answers what logs requests, if that is wished.
    Raises LogFileUnavailable. Each process does this once, and before it has other threads.
    """
    handlers = [LineHandler(RotatedFile(file), Json())] if file else []
    if sys.stderr is not None:  # it may have been closed, and its number be another file's
        is_text = form == "text" or (form == "auto" and sys.stderr.isatty())
        stream = Stream(sys.stderr.fileno())
        handlers.append(LineHandler(stream, Text() if is_text else Json()))
    logging.basicConfig(handlers=handlers, level=logging.WARNING, force=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_uncaught_in_thread
    return [AccessLog(handlers)] if requests and _log.isEnabledFor(logging.INFO) else []


class LineHandler(logging.Handler):
    """Writes records, and requests, as lines of a form."""

    def __init__(self, output: Output, form: Form) -> None:
        super().__init__()
        self.setFormatter(formatter(form))
        self._form = form
        self._process = os.getpid()
        self._writer = LineWriter(output, self._dropped)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; a warning or worse is written before this answers."""
        try:
            line = self.format(record)
        except Exception as error:  # whatever is wrong with it must not reach who logs
            place = f"{record.pathname}:{record.lineno}"
            line = self._own_line(f"{place} cannot be told: {type(error).__name__}")
        self._writer.write(line + "\n")
        if record.levelno >= logging.WARNING:
            self.flush()

    def tell(self, request: HandledRequest) -> None:
        """Write a line about a request, soon."""
        self._writer.write(self._form.request(request, now=time(), process=self._process))

    def flush(self) -> None:
        """Answer once all lines are written, if that does not take long."""
        self._writer.flush()

    def close(self) -> None:
        """Write what waits, and no more from then on."""
        super().close()
        self._writer.close()

    def _dropped(self, number: int) -> str:
        return self._own_line(f"{number} lines could not be written and were dropped") + "\n"

    def _own_line(self, message: str) -> str:
        record = _log.makeRecord(_log.name, logging.ERROR, "", 0, message, (), None)
        return self.format(record)


class AccessLog:
    """Logs a line about each request."""

    def __init__(self, handlers: Sequence[LineHandler]) -> None:
        self._handlers = handlers

    def begin(self) -> None:
        """Wait for the end."""

    def end(self, request: HandledRequest) -> None:
        """Log it."""
        for handler in self._handlers:
            handler.tell(request)


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _log.critical("the process ends: nobody caught this", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    error = args.exc_value
    if error is not None and not isinstance(error, SystemExit):
        _log.error("a thread ends: nobody caught this", exc_info=error)


def _log_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    _log.error("this could not be raised", exc_info=unraisable.exc_value)
