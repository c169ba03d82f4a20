"""Files and sockets that have nothing to do with the client under test, and every byte of which is known.

Openers open and close them as fast as they can until one has got a descriptor number that was the stream's; that one
is kept and used, and in the end each of its bytes is compared. One kind at a time, so that each gets its turn: a plain
file, a SQLite database (rollback journal or WAL), a TCP connection of which both ends are ours.
"""

import contextlib
import os
import re
import select
import socket
import sqlite3
import tempfile
import threading
import time
from operator import ne

#: What is written.
TEXT = b"".join(b"line %05d of what nobody else may touch\n" % number for number in range(100))
MORE = b"and a line that was written later\n"
ROWS = 40
MAGIC = b"SQLite format 3\0"
#: How a TLS record begins (RFC 8446, 5.1): its type, version 3.x, its length. No text and no database does.
RECORD = re.compile(rb"([\x14-\x17]\x03[\x00-\x04])(.{2})", re.DOTALL)
#: Openers at a time, and seconds within which bytes that are under way have arrived.
OPENERS, PATIENCE = 2, 1.0


class PlainFile:
    """A file that was written before; it is read from its beginning on, and a line comes to it."""

    kind = "plain file"

    @staticmethod
    def prepare(path):
        with open(path, "wb") as file:
            file.write(TEXT)
        return path

    def __init__(self, path):
        self._path = path
        self._number = os.open(path, os.O_RDWR)

    def holds(self, numbers):
        """Which of these numbers are its own."""
        return {self._number} & numbers

    def use(self):
        os.pwrite(self._number, MORE, len(TEXT))

    def look(self, found):
        with open(self._path, "rb") as file:
            found.update(difference(file.read(), TEXT + MORE))
        # The position is where whoever else read and wrote through the number has left it.
        found["lost"] += max(0, os.lseek(self._number, 0, os.SEEK_CUR) - found["foreign"])

    def close(self):
        os.close(self._number)


class Database:
    """A SQLite database with rows; one comes to it."""

    kind, mode = "SQLite database, rollback journal", "DELETE"

    @classmethod
    def prepare(cls, path):
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as made:
            made.execute("PRAGMA journal_mode=" + cls.mode)
            made.execute("CREATE TABLE lines (number INTEGER PRIMARY KEY, line BLOB)")
            made.executemany("INSERT INTO lines VALUES (?, ?)", [(number, TEXT) for number in range(ROWS)])
        return path

    def __init__(self, path):
        self._path = path
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=PATIENCE)
        self._identity = _identity(os.stat(path))

    def holds(self, numbers):
        found = set()
        for number in numbers:
            with contextlib.suppress(OSError):  # nobody has it
                if _identity(os.fstat(number)) == self._identity:
                    found.add(number)
        return found

    def use(self):
        self._connection.execute("INSERT INTO lines VALUES (?, ?)", (ROWS, TEXT + MORE))

    def look(self, found):
        """Looks at the bytes first: SQLite writes its header anew with each change, and may heal what was damaged."""
        with open(self._path, "rb") as file:
            found.update(difference(file.read(len(MAGIC) + 8), MAGIC, upto=len(MAGIC)))
        rows = self._connection.execute("SELECT number, line FROM lines ORDER BY number").fetchall()
        if rows != [(number, TEXT) for number in range(ROWS)] + [(ROWS, TEXT + MORE)]:
            found["error"] = "rows are not what was written"
        (whole,) = self._connection.execute("PRAGMA integrity_check").fetchone()
        if whole != "ok":
            found["error"] = "integrity_check fails"

    def close(self):
        self._connection.close()


class WriteAhead(Database):
    """The same with a write-ahead log."""

    kind, mode = "SQLite database, WAL", "WAL"


class Connection:
    """A TCP connection on loopback; both ends send, and read what the other has sent."""

    kind = "TCP connection"

    @staticmethod
    def prepare(path):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        return listener

    def __init__(self, listener):
        self._near = socket.socket()
        self._near.connect(listener.getsockname())
        self._far, _ = listener.accept()

    def holds(self, numbers):
        return {self._near.fileno(), self._far.fileno()} & numbers

    def use(self):
        for end in (self._near, self._far):
            os.write(end.fileno(), TEXT)

    def look(self, found):
        for end in (self._near, self._far):
            end.shutdown(socket.SHUT_WR)
        near, far = (difference(_received(end.fileno()), TEXT) for end in (self._near, self._far))
        found.update({name: near[name] + far[name] for name in ("foreign", "lost")})
        found["record"] = near["record"] or far["record"]

    def close(self):
        self._near.close()
        self._far.close()


KINDS = (PlainFile, Database, WriteAhead, Connection)


class Bystanders:
    """Openers of one kind, at work from the constructor on. wanted: the numbers that they are to get.

    reads: tells which descriptors are being read from over TLS (tls_reads.Reads).
    """

    def __init__(self, folder, kind, wanted, reads):
        self._kind, self._wanted, self._reads = kind, frozenset(wanted), reads
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.caught = {}  # by number: (what has it, what went wrong when it was used)
        self.early = 0  # numbers that came while somebody still read from them
        self._fillers = []
        self.opened = 0
        self._null = os.open(os.devnull, os.O_RDONLY)
        self._fill()
        folder = tempfile.mkdtemp(dir=folder)
        self._sources = [kind.prepare(os.path.join(folder, "bystander-%d" % number)) for number in range(OPENERS)]
        self._threads = [
            threading.Thread(target=self._open, args=(source,), name="opener", daemon=True) for source in self._sources
        ]
        for thread in self._threads:
            thread.start()

    def _fill(self):
        """Take the numbers that are free below those that are wanted: the kernel gives the lowest one."""
        while True:
            number = os.dup(self._null)
            if number in self._wanted or number > max(self._wanted):
                os.close(number)
                return
            self._fillers.append(number)

    def _open(self, source):
        while not self._over.is_set() and not self.all_came():
            one = self._kind(source)
            self.opened += 1
            numbers = one.holds(self._wanted)
            early = len(numbers & self._reads.numbers())
            if not numbers:
                one.close()
                continue
            failed = _failed(one.use)
            with self._lock:
                self.early += early
                self.caught.update(dict.fromkeys(numbers, (one, failed)))
            source = self._kind.prepare(source + "-next") if isinstance(source, str) else source

    def all_came(self):
        """Whether each of the numbers has come to an opener."""
        return self._wanted <= self.caught.keys()

    def end(self):
        """Stop, compare every byte and close all; what was damaged, and how."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        harm = []
        for number, (one, failed) in sorted(self.caught.items()):
            found = {"foreign": 0, "lost": 0, "record": None, "error": ""}
            unread = _failed(one.look, found)
            found["error"] = failed or unread or found["error"]
            _failed(one.close)
            if any(found.values()):
                harm.append(dict(found, kind=one.kind, number=number))
        for number in (*self._fillers, self._null):
            os.close(number)
        for source in self._sources:
            if not isinstance(source, str):
                source.close()
        return harm


def difference(got, expected, upto=None):
    """How bytes differ from those expected: how many are foreign, how many are lost, and the TLS record that is among
    them, [type, minor version], None if none is. upto: what comes after so many is not known."""
    known = got[:upto]
    if known == expected:
        return {"foreign": 0, "lost": 0, "record": None}
    begin = RECORD.search(got)
    record = [begin[1][0], begin[1][2]] if begin else None
    size = 5 + int.from_bytes(begin[2], "big") if begin else 0
    if len(known) == len(expected):  # written over
        return {"foreign": size or sum(map(ne, known, expected)), "lost": 0, "record": record}
    foreign = size or max(0, len(known) - len(expected))
    return {"foreign": foreign, "lost": max(0, len(expected) + foreign - len(known)), "record": record}


def _failed(call, *args):
    """What went wrong in a call on a bystander, "" for nothing. Texts of SQLite and errno are no data of anybody's."""
    try:
        call(*args)
    except sqlite3.Error as exc:
        return str(exc)
    except OSError as exc:
        return exc.strerror or type(exc).__name__
    return ""


def _identity(status):
    return status.st_dev, status.st_ino


def _received(number):
    """All that has come to an end until the other one has said its last."""
    got, deadline = [], time.monotonic() + PATIENCE
    waiting = select.poll()
    waiting.register(number, select.POLLIN)
    while waiting.poll(max(0, (deadline - time.monotonic()) * 1000)):
        part = os.read(number, 65536)
        if not part:
            break
        got.append(part)
    return b"".join(got)
