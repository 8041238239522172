"""Hints: somebody did something over there; look.

A hint is never the truth, only a reason to look sooner than the next scan. Linux: watchdog's inotify descriptor with plain
MOVED_TO, CLOSE_WRITE and CREATE events of the few directories where something can arrive; watchdog's own recursive observer
would also wake for every file that the mirror writes. Elsewhere: watchdog's observer for the platform. Where watching is not
possible (a limit, a network file system), `polling` says why and the scan alone finds everything, later.
"""

import errno
import itertools
import queue
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitmaild.model.drop import Hint, How

if TYPE_CHECKING:
    from watchdog.observers.inotify_c import InotifyEvent, InotifyFD


class Watcher:
    """Watches single directories, not trees. `watch` may be called again with another set at any time."""

    def __init__(self) -> None:
        self.polling = ""
        self._hints: queue.SimpleQueue[Hint] = queue.SimpleQueue()
        self._watched: dict[str, _Directory] = {}
        self._inotify: InotifyFD | None = None
        self._observer: Any = None

    def watch(self, directories: list[Path]) -> None:
        """Watch these directories and no others; ones that are missing are left out until the next call."""
        wanted = {str(path) for path in directories}
        if sys.platform == "linux":
            self._watch_inotify(wanted)
        else:
            self._watch_observer(wanted)

    def wait(self, timeout: float) -> list[Hint]:
        """Hints that have come in, after at most `timeout` seconds; [] where none did."""
        try:
            hints = [self._hints.get(timeout=max(timeout, 0.0))]
        except queue.Empty:
            return []
        for _ in range(50_000):
            try:
                hints.append(self._hints.get_nowait())
            except queue.Empty:
                break
        return hints

    def hint(self, hints: Iterable[Hint]) -> None:
        """Pass on what somebody in this process knows already. Safe for any thread."""
        for hint in hints:
            self._hints.put(hint)

    def wake(self) -> None:
        """Make `wait` return now. Safe in a signal handler."""
        self._hints.put(Hint(""))

    def close(self) -> None:
        if self._inotify is not None:
            self._inotify.stop()
            self._inotify.join(5)
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(5)

    # --- Linux

    def _watch_inotify(self, wanted: set[str]) -> None:
        from watchdog.observers.inotify_c import InotifyConstants as In  # noqa: PLC0415
        from watchdog.observers.inotify_c import InotifyFD, Mask  # noqa: PLC0415

        try:
            if self._inotify is None:
                inotify = InotifyFD()
                inotify.start()
                self._inotify = inotify
        except (OSError, RuntimeError) as error:  # RuntimeError: no thread more may be started
            self.polling = f"watching by polling: {getattr(error, 'strerror', '') or error}"
            return
        mask = Mask(
            In.IN_MOVED_TO | In.IN_CLOSE_WRITE | In.IN_CREATE | In.IN_DELETE_SELF | In.IN_DONT_FOLLOW | In.IN_ONLYDIR
        )
        for path in set(self._watched) - wanted:  # a copy: watchdog's thread takes out what was deleted
            self._drop(path)
        self.polling = ""
        for path in sorted(wanted - set(self._watched)):
            callback = _Directory(path, self)
            try:
                wd = self._inotify.add_callback(path.encode(errors="surrogateescape"), mask, callback, callback.id)  # type: ignore[arg-type]
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EMFILE, errno.ENOMEM):
                    self.polling = f"watching by polling: {error.strerror or error}"
                    return
                continue  # gone or not a directory since it was listed
            callback.wd = wd
            self._watched[path] = callback
            if callback.deleted:  # before it was noted
                self._watched.pop(path, None)

    def _drop(self, path: str) -> None:
        callback = self._watched.pop(path, None)
        if callback is not None and self._inotify is not None and not callback.deleted:
            self._inotify.remove_callbacks([(callback.wd, callback.id)])  # type: ignore[list-item]

    # --- elsewhere

    def _watch_observer(self, wanted: set[str]) -> None:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler  # noqa: PLC0415
        from watchdog.observers import Observer  # noqa: PLC0415

        hints = self._hints

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                path = Path(str(event.dest_path or event.src_path))
                how = How.RENAMED if event.event_type == "moved" else How.LOOK
                hints.put(Hint(str(path.parent), path.name, how))

        if self._observer is None:
            self._observer = Observer()
            self._observer.start()
        if set(self._watched) != wanted:
            self._observer.unschedule_all()
            self._watched = {path: _Directory(path, self) for path in wanted}
            for path in sorted(wanted):
                try:
                    self._observer.schedule(Handler(), path, recursive=False)
                except OSError as error:
                    self.polling = f"watching by polling: {error.strerror or error}"


class _Directory:
    """What watchdog calls back for one directory, on its own thread: it only passes hints on."""

    _ids = itertools.count()

    def __init__(self, path: str, watcher: Watcher) -> None:
        self.path, self._watcher = path, watcher
        self.id = next(self._ids)
        self.wd = -1
        self.deleted = False

    def on_event(self, event: "InotifyEvent") -> None:
        name = event.name.decode(errors="surrogateescape")
        if event.is_directory or event.is_delete_self:
            hint = Hint(self.path)
        elif event.is_moved_to:
            hint = Hint(self.path, name, How.RENAMED)
        elif event.is_close_write:
            hint = Hint(self.path, name, How.CLOSED)
        else:
            return  # CREATE of a file: an open, or a link() that the next scan finds
        self._watcher._hints.put(hint)

    def on_watch_deleted(self, wd: int) -> None:
        self.deleted = True
        self._watcher._watched.pop(self.path, None)
        self._watcher._hints.put(Hint(""))

    def on_queue_overflow(self) -> None:
        self._watcher._hints.put(Hint(""))
