"""Writes down which line of a program opened each of its descriptors and threads, while the program runs.

One file of the standard library, for Python >= 3.9. An audit hook notes each opening in the "black box": a file in
memory of fixed size, with one slot for each descriptor number and each stack stored once. No thread, no signal handler,
no lock. What has been written survives a hang and a kill -9. Who reads it compares each slot with the inode that the
kernel shows for the descriptor, so that a number that came again is never taken for the old opening.

Names of functions, lines of code, threads, asyncio tasks and remote addresses are written, and the last part of the
names of opened files; no argument, no value of a variable, no environment and no path, unless HERMES_DIAG_PATHS is set.

An error of ours never reaches the program: it ends the recording, with one line on stderr.
"""

import _thread
import os
import stat
import sys
import time
from _struct import Struct
from _weakref import ref

VERSION = 2
MAGIC = b"hdiagbox"
#: Magic, version, pid, start of the process (ticks), pid of the parent, slots, highest descriptor, stacks written,
#: ended, cut short by an error, CLOCK_MONOTONIC and Unix time at one moment, id of the boot, release of Python.
HEADER = Struct("<8sIIQIIiIBBdd36s16s")
#: When (CLOCK_MONOTONIC), inode, device, number of the stack, kind, flags, port, name, thread, task.
SLOT = Struct("<dQQIBBH40s28s28s")
NAMES, CHILDREN, THREADS, STACKS, SLOTS = 512, 64, 4096, 16384, 131072
NEAR = 8  # places that the name of a database may have
#: Bytes for one stack: two for the length, then lines `FLAG|FILE|NUMBER|FUNCTION`.
STACK = 1024
#: Where each part begins.
PROGRAM_AT = 256  # the name of the program: of its script without the folder, or of its module
ROOTS_AT = 512  # the folders of installed packages, as text
NAMES_AT = 4096
CHILDREN_AT = NAMES_AT + NAMES * SLOT.size
THREADS_AT = CHILDREN_AT + CHILDREN * SLOT.size
STACKS_AT = THREADS_AT + THREADS * SLOT.size
SLOTS_AT = STACKS_AT + STACKS * STACK
SIZE = SLOTS_AT + SLOTS * SLOT.size
#: Kinds of slots.
_, SOCKET, FILE, PIPE, LOOP, THREAD, CHILD, INHERITED, OTHER = range(9)
#: Flags of slots: the line is that of the server which accepted it; it was still open when the program ended; the
#: descriptor is the one that was expected, and nobody has checked yet; of a name: several lines open such files.
ACCEPTED, LEFT, EXPECTED, SEVERAL = 1, 2, 4, 8
#: Where in a slot the port and the remote stand.
_REMOTE, _REMOTE_AT = Struct("<H40s"), Struct("<dQQIBB").size
#: Instead of a number of a stack: the box holds no more of them; the opening was not announced.
NO_MORE, UNSEEN = 0xFFFFFFFF, 0xFFFFFFFE
#: Where in the header stand the highest descriptor with the number of stacks, and the two marks of an end.
_COUNTS, _COUNTS_AT, _ENDED_AT, _BROKEN_AT = Struct("<iI"), 32, 40, 41
#: Flags of lines: of the program, of an installed package; and what stands before the lines of a stack that started the
#: thread in which something was opened, where that thread has no line of its own.
OWN, INSTALLED, STARTED = "O", "I", "T"
_STARTED = b"T|||\n"

_AHEAD = 256  # so many stacks and slots more than are needed the disk gives room for at a time
_ROOM = 256 << 20  # bytes that are to be free where boxes are made in memory
_DEPTH = 200
_DEPTHS = range(_DEPTH)
_KEYS = 16384  # stacks known by their frames; when there are more, all are forgotten and found again by their text
_PACKAGES = ("/site-packages/", "/dist-packages/")
_STDLIB = 0
_LOOP = 1
_DUPLICATES = frozenset({"dup", "fromfd"})  # the functions in socket.py that make another descriptor of the same socket
_RUNS = frozenset({"_run", "unrolled_run"})  # the functions in them that call
_LOOPS = ("asyncio/events.py", "trio/_core/_run.py")

# Kept, since the program may replace them.
_getframe, _monotonic, _unix = sys._getframe, time.monotonic, time.time
_fstat, _dup, _close, _readlink, _listdir = os.fstat, os.dup, os.close, os.readlink, os.listdir
_LINUX = sys.platform.startswith("linux")
_getpid, _write, _ident, _modules = os.getpid, os.write, _thread.get_ident, sys.modules
_O_TMPFILE = getattr(os, "O_TMPFILE", -1)  # a file without a name; -1: there is no such thing here
_STARTED_AT = "_hermes_diag_started"  # the attribute of a thread that says which stack has started it
_folder_of_python = os.path.dirname(os.__file__) + "/"
_python_folders = {_folder_of_python, os.path.realpath(_folder_of_python) + "/"}


def kind_of(filename, module):
    """_STDLIB: of Python, or no file; _LOOP: where an event loop calls; else (flag, name, root): the name of the file
    as it is written down, from its package on, and the folder of installed packages that it is in.

    module: `__name__` of what runs in that file."""
    name = filename.partition("?")[0].replace("\\", "/")  # code may be named after a URL
    for folder in _PACKAGES:
        root, found, rest = name.partition(folder)
        if found:
            return _LOOP if rest.endswith(_LOOPS) else (INSTALLED, rest, root + folder)
    if name.startswith("<"):
        return (OWN, name, "") if module == "__main__" and name in ("<string>", "<stdin>") else _STDLIB
    for folder in _python_folders:
        if name.startswith(folder):
            return _LOOP if name.endswith(_LOOPS) else _STDLIB
    before, _, last = name.rpartition("/")
    if before.endswith(("/bin", "/Scripts")) and module == "__main__":
        return _STDLIB  # the script that an installer made, which only calls the program
    imported = module.replace(".", "/") if type(module) is str else ""
    for rest in (imported + ".py", imported + "/__init__.py"):
        if imported and name.endswith("/" + rest):
            return OWN, rest, ""
    return OWN, last, ""


def _nothing():
    return None


class Recorder:
    """What one process writes down. Made once; a fork gives it another box."""

    def __init__(self, folder, source, paths, keep):
        self.folder, self.source, self.paths, self.keep = folder, source, paths, keep
        self.off = False
        self.boxes = []  # never let go of: an mmap that is freed closes its descriptor, which may be another's by then
        self.pending = {}  # thread -> its last opening, whose descriptor is not known yet
        self.kinds = {__file__: _STDLIB}  # co_filename -> kind_of
        self.by_frames = {}  # functions and their instructions -> number of the stack, whether it is OWN
        self.by_text = {}  # what is written down -> the same
        self.own = set()  # numbers of stacks with a line of the program
        self.roots = set()
        self.names = {}  # of threads, as they are written down
        self.children = 0
        self.new_box()
        self.handlers = {
            "socket.__new__": self.socket,
            "socket.connect": self.connect,
            "socket.bind": self.bind,
            "open": self.open,
            "sqlite3.connect": self.database,
            "mmap.__new__": self.mapped,
            "subprocess.Popen": self.popen,
            "os.posix_spawn": self.spawn,
            "os.exec": self.spawn,
            "import": self.imports,
        }
        self.wraps = {"threading": self.wrap_threads, "socket": self.wrap_sockets}
        self.sockets = ()  # the class of sockets, once it says by itself when one is made
        self.latest = _nothing, NO_MORE  # the socket that was made last, and its stack

    # --- the box ---------------------------------------------------------------------------------

    def new_box(self):
        """Make the file of this process, while what this opens is not recorded. After a fork, or an exec that kept the
        process, what is open was opened before: then it begins with what was written down before."""
        self.off = True
        try:
            self.make_box()
        finally:
            self.off = False

    def make_box(self):
        from mmap import mmap

        self.pid, self.box = _getpid(), None  # after a fork it is the parent's
        start, parent = _started()
        self.file = "%s/%d-%d.box" % (self.folder, self.pid, start)
        fd = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            status = _fstat(fd)
            if status.st_uid != os.geteuid() or status.st_mode & 0o077 or not stat.S_ISREG(status.st_mode):
                raise PermissionError
            os.ftruncate(fd, SIZE)
            _reserve(fd, 0, STACKS_AT)
            box = mmap(fd, SIZE)
        finally:
            _close(fd)
        self.room = [0, 0]  # how many stacks and slots the disk has given room for
        if not self.boxes:
            found = box[: len(MAGIC)] == MAGIC
            self.highest, self.count = _COUNTS.unpack_from(box, _COUNTS_AT) if found else (-1, 0)
        self.reserve(self.count, self.highest + 1)
        if self.boxes:
            before = self.boxes[-1]
            for begin, end in (
                (PROGRAM_AT, NAMES_AT),
                (STACKS_AT, STACKS_AT + self.count * STACK),
                (SLOTS_AT, SLOTS_AT + (self.highest + 1) * SLOT.size),
            ):
                box[begin:end] = before[begin:end]
        release = ".".join(map(str, sys.version_info[:3])).encode()
        now = _monotonic(), _unix()
        values = VERSION, self.pid, start, parent, SLOTS, self.highest, self.count, 0, 0, *now, _boot(), release
        HEADER.pack_into(box, 0, b"", *values)
        box[: len(MAGIC)] = MAGIC  # last: who finds it finds all of the header
        self.boxes.append(box)
        self.box = box

    def reserve(self, stacks, slots):
        """Have the disk give room for so many: writing to memory for which there is none would kill the program."""
        fd = os.open(self.file, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            for place, wanted, begin, size, most in (
                (0, stacks, STACKS_AT, STACK, STACKS),
                (1, slots, SLOTS_AT, SLOT.size, SLOTS),
            ):
                room = min(most, wanted + _AHEAD)
                _reserve(fd, begin + self.room[place] * size, (room - self.room[place]) * size)
                self.room[place] = room
        finally:
            _close(fd)

    def more(self, stacks, slots):
        """Room for more of them, while what this opens is not recorded."""
        self.off = True
        try:
            self.reserve(max(self.count, stacks), max(self.highest + 1, slots))
        finally:
            self.off = False

    def slot(self, fd, entry):
        """Write the slot of a descriptor, if there is one of that number."""
        try:
            status = _fstat(fd)
        except OSError:
            return
        self.put(fd, entry, status.st_ino, status.st_dev)

    def put(self, fd, entry, inode, device, flags=0):
        if 0 <= fd < SLOTS:
            if fd >= self.room[1]:
                self.more(0, fd + 1)
            at, kind, number, name, port, thread, task = entry
            place = SLOTS_AT + fd * SLOT.size
            SLOT.pack_into(self.box, place, at, inode, device, number, kind, flags, port, name, thread, task)
            if fd > self.highest:
                self.highest = fd
                _COUNTS.pack_into(self.box, _COUNTS_AT, fd, self.count)

    def known(self, fd):
        """The values of a slot, if its descriptor is still the one that was written down, else None."""
        if not 0 <= fd <= self.highest:
            return None
        values = SLOT.unpack_from(self.box, SLOTS_AT + fd * SLOT.size)
        try:
            return values if values[1] and values[1] == _fstat(fd).st_ino else None
        except OSError:
            return None

    def inherit(self):
        """Note what is open before the program begins."""
        try:
            names = _listdir("/proc/self/fd" if _LINUX else "/dev/fd")
        except OSError:
            return
        for fd in map(int, names):
            if not self.known(fd):
                self.slot(fd, (_monotonic(), INHERITED, NO_MORE, b"", 0, b"", b""))

    # --- stacks ----------------------------------------------------------------------------------

    def stack(self, frame):
        """(number, whether a line of it is of the program) of the stack that ends in this frame."""
        key, kinds, top = [], self.kinds, frame
        for _ in _DEPTHS:
            if frame is None:
                break
            code = frame.f_code
            name = code.co_filename
            kind = kinds.get(name)
            if kind is None:
                kind = self.kind(frame)
            if kind:
                if kind is _LOOP:
                    if code.co_name not in _RUNS:
                        frame = frame.f_back
                        continue
                    waits = waiting_lines(self.own_line)
                    return self.known_stack((*key, waits), top, waits)
                key += name, code.co_firstlineno, frame.f_lasti
            frame = frame.f_back
        if not key:
            return self.thread_stack()
        return self.by_frames.get(tuple(key)) or self.known_stack(tuple(key), top, ())

    def thread_stack(self):
        """Of a thread that runs no line but Python's: the stack that started it, marked so."""
        number = getattr(_thread_of_now(), _STARTED_AT, NO_MORE)
        if number == NO_MORE:
            return self.text_number(b"", False)
        at = STACKS_AT + number * STACK
        text = _STARTED + self.box[at + 2 : at + 2 + int.from_bytes(self.box[at : at + 2], "little")]
        return self.text_number(text[: text.rfind(b"\n", 0, STACK - 2) + 1], False)

    def known_stack(self, key, frame, waits):
        known = self.by_frames.get(key)
        if known is None:
            if len(self.by_frames) >= _KEYS:
                self.by_frames.clear()
            known = self.by_frames[key] = self.new_stack(frame, waits)
        return known

    def kind(self, frame):
        """As of kind_of, remembered; and where packages are installed is written down."""
        name = frame.f_code.co_filename
        kind = self.kinds[name] = kind_of(name, frame.f_globals.get("__name__"))
        if kind and kind is not _LOOP and kind[2] and kind[2] not in self.roots:
            self.roots.add(kind[2])
            text = "\n".join(sorted(self.roots)).encode("utf-8", "replace")[: NAMES_AT - ROOTS_AT - 1]
            self.box[ROOTS_AT : ROOTS_AT + len(text)] = text
        return kind

    def line(self, frame):
        """The line at which a frame stands, as it is written down; None: of Python; False: an event loop calls."""
        kind = self.kinds.get(frame.f_code.co_filename)
        if kind is None:
            kind = self.kind(frame)
        if kind is _LOOP:
            return None if frame.f_code.co_name not in _RUNS else False
        return (kind[0], kind[1], frame.f_lineno, frame.f_code.co_name) if kind else None

    def own_line(self, frame):
        line = self.line(frame)
        return line if line and line[0] is OWN else None

    def new_stack(self, frame, waits):
        """The number of a stack that was not seen before in these words."""
        lines, depth = [], 0
        while frame is not None and depth < _DEPTH:
            line = self.line(frame)
            if line is False:
                break
            if line:
                lines.append(line)
            frame = frame.f_back
            depth += 1
        if not any(line[0] is OWN for line in lines):
            lines += waits  # of a task that a library made: who waits for it says more
        return self.text_number(_text(lines), any(line[0] is OWN for line in lines))

    def text_number(self, text, own):
        """The number of a stack, by what is written down of it."""
        known = self.by_text.get(text)
        if known is None:
            if self.count >= STACKS:
                return NO_MORE, own
            if self.count >= self.room[0]:
                self.more(self.count + 1, 0)
            number, self.count = self.count, self.count + 1
            at = STACKS_AT + number * STACK
            self.box[at + 2 : at + 2 + len(text)] = text
            self.box[at : at + 2] = len(text).to_bytes(2, "little")
            _COUNTS.pack_into(self.box, _COUNTS_AT, self.highest, self.count)
            known = self.by_text[text] = number, own
            if own:
                self.own.add(number)
            if number < 64:  # by then it is known
                name = _program()
                self.box[PROGRAM_AT : PROGRAM_AT + len(name)] = name
        return known

    def entry(self, kind, number, name=b"", port=0):
        """What a slot says, but for its descriptor."""
        one = _thread_of_now()
        called = one._name if one is not None else ""
        thread = self.names.get(called)
        if thread is None:
            if len(self.names) >= _KEYS:
                self.names.clear()
            thread = self.names[called] = _cut(called, 28)
        task = b"" if "asyncio" not in _modules else _task_name()
        return _monotonic(), kind, number, name, port, thread, task

    # --- what Python announces -------------------------------------------------------------------

    def audit_hook(self):
        """The function that Python calls for each event, hundreds of times in what we do ourselves: reading the code of
        a frame is an event. A method would take it three times as long."""
        handler_of, pending = self.handlers.get, self.pending

        def hook(event, args):
            handler = handler_of(event)
            if handler is None and not pending:
                return
            try:
                if self.off:
                    return
                if handler is None:
                    self.complete()
                elif event != "socket.__new__" or not isinstance(args[0], self.sockets):
                    frame = _getframe().f_back  # None: Python itself, not a program, does something
                    if frame is not None:
                        handler(args, frame)
            except Exception as exc:
                if self.is_of_program(exc):
                    raise

        return hook

    def is_of_program(self, exc):
        """Whether what was raised while something was written down is to reach the program; else no more is recorded,
        and that is said."""
        try:
            if type(exc) is RecursionError:
                return False  # the program is about to get the same
            if _of_a_signal(exc):
                return True
            off, self.off = self.off, True
            if not off and not sys.is_finalizing():
                why = "%s: %s" % (type(exc).__name__, exc.strerror) if isinstance(exc, OSError) else type(exc).__name__
                _write(2, ("hermes-diag: the recorder ends here (%s); the program goes on\n" % why).encode())
            self.box[_BROKEN_AT] = 1
        except Exception:
            self.off = True
        return False

    def socket(self, args, frame):
        """A socket that is not of the socket module, as gevent has them: the event comes before its descriptor."""
        if self.pending:
            self.complete()
        try:
            sock = ref(args[0])
        except TypeError:  # nothing leads from here to its descriptor: it is told by where it is connected or bound
            return
        self.pending[_ident()] = -1, self.entry(SOCKET, self.stack(frame)[0]), sock

    def opened(self, sock, given, frame):
        """A socket of the socket module has its descriptor. given: it was made around that one."""
        fd = _fileno(sock)
        status = _fstat(fd)
        inode, flags = status.st_ino, 0
        caller = frame.f_code.co_name if given is not None else ""
        if given is not None and caller not in _DUPLICATES and fd <= self.highest:
            values = SLOT.unpack_from(self.box, SLOTS_AT + fd * SLOT.size)
            if values[1] == inode and values[4] == SOCKET and self.is_own(values[3]):
                return  # another object around a descriptor that is known, as TLS makes: nothing was opened
        number, own = self.stack(frame)
        if given is not None:
            if caller == "accept":
                if not own:  # an event loop accepts: what says more is who made the server
                    server = self.known(_fileno(frame.f_locals.get("self")))
                    if server:
                        number, flags = server[3], ACCEPTED
            elif caller == "socketpair":
                self.loop(frame.f_back, number)
        self.put(fd, self.entry(SOCKET, number), inode, status.st_dev, flags)
        self.latest = ref(sock), number

    def loop(self, frame, number):
        """The selector of an event loop is not announced, but the sockets with which the loop wakes itself are."""
        if frame is not None and frame.f_code.co_name == "_make_self_pipe":
            selector = getattr(frame.f_locals.get("self"), "_selector", None)
            if hasattr(selector, "fileno"):
                self.slot(selector.fileno(), self.entry(LOOP, number))

    def connect(self, args, frame):
        sock, address = args
        host, port = b"", 0
        if type(address) is tuple and len(address) >= 2 and _is_ip(address[0]) and type(address[1]) is int:
            host, port = address[0].encode("ascii", "replace"), address[1] & 0xFFFF
        self.again(sock, frame, host, port)

    def bind(self, args, frame):
        self.again(args[0], frame, b"", 0)

    def again(self, sock, frame, host, port):
        """A socket connects or is bound. The line that made it stays, unless only this one is of the program."""
        if self.pending:
            self.complete()
        fd = _fileno(sock)
        latest, number = self.latest
        if latest() is not sock:  # else it is not worth asking the kernel
            known = self.known(fd)
            number = known[3] if known and known[4] == SOCKET else NO_MORE
        if number in self.own or self.is_own(number):
            if host:
                _REMOTE.pack_into(self.box, SLOTS_AT + fd * SLOT.size + _REMOTE_AT, port, host)
        else:
            self.slot(fd, self.entry(SOCKET, self.stack(frame)[0], host, port))

    def is_own(self, number):
        if number in self.own:
            return True
        if number >= self.count:
            return False
        at = STACKS_AT + number * STACK + 2
        text = self.box[at : at + STACK - 2]
        return text.startswith(b"O|") or b"\nO|" in text

    def open(self, args, frame):
        path = args[0]
        if type(path) is int or frame.f_code.co_filename.startswith("<frozen importlib"):
            return
        name = b"(deleted)" if args[2] & _O_TMPFILE == _O_TMPFILE else self.shown(path)
        self.later(self.entry(FILE, self.stack(frame)[0], name))

    def later(self, entry):
        """A file that is about to be opened."""
        if self.pending:
            self.complete()
        self.pending[_ident()] = self.expect(entry), entry, None

    def database(self, args, frame):
        if args[0] != ":memory:":
            entry = self.entry(FILE, self.stack(frame)[0], self.shown(args[0]))
            self.named(entry)
            self.later(entry)

    def mapped(self, args, frame):
        """A map of a file has a descriptor of its own: the line is the one that opened the file."""
        if self.pending:
            self.complete()
        known = self.known(args[0])
        if known and known[4] == FILE:
            self.later(self.entry(FILE, known[3], known[7].rstrip(b"\0")))

    def shown(self, path):
        """The name of an opened file as it is written down; of a URI, as SQLite takes it, without its query."""
        if hasattr(path, "__fspath__"):
            path = os.fspath(path)
        if type(path) is bytes:
            path = path.decode("utf-8", "replace")
        if type(path) is not str:
            return b""
        if path.startswith("file:"):
            path = path[5:].partition("?")[0]
        return (path if self.paths else path.rpartition("/")[2]).encode("utf-8", "replace")[-40:]

    def named(self, entry):
        """Remember who opened a database of that name: SQLite opens its further files by itself, and later."""
        at, kind, number, name, port, thread, task = entry
        place, before = self.place_of(name)
        several = before[7].rstrip(b"\0") == name and (before[3] != number or before[5] & SEVERAL)
        flags = SEVERAL if several else 0
        SLOT.pack_into(self.box, place, at, 0, 0, number, kind, flags, port, name, thread, task)

    def place_of(self, name):
        """(place, what is there) of a database's name: its own, or the first that is free of those behind it."""
        first = hash(name)
        for number in range(first, first + NEAR):
            place = NAMES_AT + number % NAMES * SLOT.size
            known = SLOT.unpack_from(self.box, place)
            if known[7].rstrip(b"\0") in (b"", name):
                break
        return place, known

    def popen(self, args, frame):
        self.child(args[0], args[1], args[3], frame)
        given = frame.f_locals
        for name in ("p2cwrite", "c2pread", "errread"):
            fd = given.get(name)
            if type(fd) is int and fd >= 0:
                self.slot(fd, self.entry(PIPE, self.stack(frame)[0]))

    def spawn(self, args, frame):
        self.child(args[0], args[1], args[2], frame)

    def child(self, executable, arguments, environment, frame):
        """Note a Python that is started so that it does not load us."""
        why = blind(executable, arguments, environment, self.source)
        if why:
            at, kind, number, name, port, thread, task = self.entry(CHILD, self.stack(frame)[0], why.encode())
            place = CHILDREN_AT + self.children % CHILDREN * SLOT.size
            SLOT.pack_into(self.box, place, at, 0, 0, number, kind, 0, port, name, thread, task)
            self.children += 1

    def imports(self, args, frame):
        """Before the program gets threading or socket: it is imported here, so that it can tell what it makes."""
        self.wrap(args[0])

    def wrap(self, module):
        wrapping = self.wraps.pop(module, None)
        if not self.wraps:
            self.handlers.pop("import", None)
        if wrapping is not None:
            wrapping()

    # --- what Python does not announce -----------------------------------------------------------

    def wrap_threads(self):
        from threading import Thread

        start = Thread.start

        def wrapped(thread):
            self.guarded(self.starting, thread)
            start(thread)
            self.guarded(self.thread, thread)

        Thread.start = _as(wrapped, start)

    def wrap_sockets(self):
        """The audit event of a socket comes before it has its descriptor."""
        import socket

        init = socket.socket.__init__
        self.sockets = socket.socket

        def wrapped(sock, family=-1, type=-1, proto=-1, fileno=None):
            init(sock, family, type, proto, fileno)
            try:
                if not self.off:
                    self.opened(sock, fileno, _getframe(1))
            except Exception as exc:
                if self.is_of_program(exc):
                    raise

        socket.socket.__init__ = _as(wrapped, init)

    def wrap_os(self):
        """pipe() and its like return descriptors and raise no audit event."""
        for name in ("pipe", "pipe2", "openpty", "eventfd", "memfd_create", "pidfd_open"):
            function = getattr(os, name, None)
            if function is not None:
                setattr(os, name, _as(self.wrapper(function), function))

    def forked(self):
        """This process was just made by a fork."""
        try:
            if not self.off:
                self.new_box()
        except Exception as exc:
            if self.is_of_program(exc):
                raise

    def wrapper(self, function):
        def wrapped(*args, **kwargs):
            result = function(*args, **kwargs)
            self.guarded(self.made, result)
            return result

        return wrapped

    def guarded(self, call, value):
        """Call one of ours for a frame of the program, two above; no error of it comes out."""
        try:
            if not self.off:
                call(value, _getframe(2))
        except Exception as exc:
            if self.is_of_program(exc):
                raise

    def starting(self, thread, frame):
        """A thread is about to be started: it may open something before `thread` has been told of it."""
        object.__setattr__(thread, _STARTED_AT, self.stack(frame)[0])

    def thread(self, thread, frame):
        """A thread was just started."""
        tid = thread.native_id
        if type(tid) is int:
            name = _cut(thread._name, 40)
            number = getattr(thread, _STARTED_AT, NO_MORE)
            at, kind, number, name, port, by, task = self.entry(THREAD, number, name)
            SLOT.pack_into(
                self.box, THREADS_AT + tid % THREADS * SLOT.size, at, tid, 0, number, kind, 0, port, name, by, task
            )

    def made(self, fds, frame):
        number = self.stack(frame)[0]
        for fd in fds if type(fds) is tuple else (fds,):
            self.slot(fd, self.entry(PIPE if stat.S_ISFIFO(_fstat(fd).st_mode) else OTHER, number))

    # --- descriptors that come later -------------------------------------------------------------

    def expect(self, entry):
        """The descriptor that the kernel will give: the lowest free one; -1: none. Its slot is written already, in case
        that this process announces nothing more."""
        for given in (2, 1, 0):
            try:
                fd = _dup(given)
            except OSError:
                continue
            self.put(fd, entry, 0, 0, EXPECTED)
            _close(fd)  # now another thread may get it, and overwrites the slot
            return fd
        return -1

    def complete(self, thread=None):
        """Find the descriptor of what a thread has announced before, by default this one."""
        waiting = self.pending.pop(thread or _ident(), None)
        if waiting is None:
            return
        expected, entry, sock = waiting
        fd = _find_file(expected, entry[3]) if sock is None else _fileno(sock())
        if fd != expected:
            self.unexpect(expected, entry)
        try:
            status = _fstat(fd)
        except OSError:  # it was not opened, or is closed already
            return
        self.put(fd, entry, status.st_ino, status.st_dev)

    def unexpect(self, fd, entry):
        """Something else, or nothing, has that descriptor: clear the slot, unless another has written it meanwhile."""
        if 0 <= fd < SLOTS:
            place = SLOTS_AT + fd * SLOT.size
            values = SLOT.unpack_from(self.box, place)
            if values[5] & EXPECTED and values[0] == entry[0]:
                self.box[place : place + SLOT.size] = bytes(SLOT.size)

    # --- the end ---------------------------------------------------------------------------------

    def end(self):
        """The program ends: mark what is still open, or remove the box."""
        try:
            if _getpid() != self.pid:
                return
            off, self.off = self.off, True
            if not self.keep:
                os.unlink(self.file)
            if off or not self.keep:
                return
            for thread in list(self.pending):  # also of threads that have ended since
                self.complete(thread)
            self.rest()
            for fd in range(self.highest + 1):
                values = self.known(fd)
                if values:
                    place = SLOTS_AT + fd * SLOT.size
                    SLOT.pack_into(self.box, place, *values[:5], values[5] | LEFT, *values[6:])
            self.box[_ENDED_AT] = 1
        except Exception as exc:
            if self.is_of_program(exc):
                raise

    def rest(self):
        """Give a slot to each descriptor that has none: another one of a file that has, one that SQLite opened by
        itself, or one whose opening was not announced."""
        slots = [values for fd in range(self.highest + 1) if (values := self.known(fd))]
        same = {values[1:3]: values for values in sorted(slots, reverse=True)}  # of several the oldest
        for fd in map(int, _listdir("/proc/self/fd") if _LINUX else ()):
            try:
                status, link = _fstat(fd), _readlink("/proc/self/fd/%d" % fd)
            except OSError:  # that of the listing
                continue
            if self.known(fd) or link.endswith(".box"):
                continue
            values = same.get((status.st_ino, status.st_dev)) or self.beside(link)
            number = values[3] if values else UNSEEN
            kind = _kind_of_mode(status.st_mode)
            at = values[0] if values else _monotonic()
            self.put(fd, (at, kind, number, b"", 0, b"", b""), status.st_ino, status.st_dev)

    def beside(self, link):
        """Who opened the database that a file of SQLite belongs to."""
        name = link.rpartition("/")[2]
        for side in ("-wal", "-shm", "-journal"):
            if name.endswith(side):
                raw = name[: -len(side)].encode("utf-8", "replace")[-40:]
                values = self.place_of(raw)[1]
                return values if values[7].rstrip(b"\0") == raw else None
        return None


def begin(source, boxes="", ours=""):
    """Record from now on. source: the folder of this file. boxes: the folder to write in; "": as the environment says.
    ours: a folder whose lines are left out.

    Of the environment: HERMES_DIAG_BOXES, the folder for boxes (else one of the user's own); HERMES_DIAG_PATHS: whole
    names of files; HERMES_DIAG_KEEP: the box stays when the program ends."""
    import atexit

    given = os.environ.get
    folder = boxes or given("HERMES_DIAG_BOXES") or default_folder()
    if ours:
        _python_folders.add(ours + "/")
    private(folder)
    keep = bool(boxes or given("HERMES_DIAG_KEEP"))
    recorder = Recorder(folder, source, bool(given("HERMES_DIAG_PATHS")), keep)
    try:
        for module in ("threading", "socket"):
            if module in _modules:
                recorder.wrap(module)
        recorder.inherit()
        recorder.wrap_os()
        atexit.register(recorder.end)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=recorder.forked)
        sys.addaudithook(recorder.audit_hook())
    except Exception:
        recorder.off = True
        raise


def default_folder():
    return "%s/hermes-diag-%d" % (place(), os.geteuid())


def place():
    """Where folders for boxes are made: in memory, since a program is not to wait for a disk, if there is room for many
    boxes and all that others may need."""
    for one in (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm"):  # nosec B108
        try:
            free = os.statvfs(one) if one and os.access(one, os.W_OK | os.X_OK) else None
        except OSError:
            continue
        if free is not None and free.f_bavail * free.f_frsize >= _ROOM:
            return one
    return "/tmp"  # nosec B108


def private(folder):
    """Make a folder that only this user can read, or check that it is one. Raises PermissionError."""
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise PermissionError(1, "not a folder of this user alone", folder)


def _text(lines):
    """Lines as they are written down: of the same package in a row only the innermost and the outermost, of the program
    all; as many as there is room for."""
    kept = []
    for line in lines:
        package = line[1].partition("/")[0]
        if line[0] is INSTALLED and len(kept) > 1 and kept[-1][0] == kept[-2][0] == package:
            kept[-1] = package, line
        else:
            kept.append((package, line))
    text = b""
    for _, line in kept:
        flag, file, number, function = line
        words = file.replace("|", "?").replace("\n", "?"), number, function.replace("|", "?").replace("\n", "?")
        one = ("%s|%s|%d|%s\n" % (flag, *words)).encode("utf-8", "replace")
        if len(text) + len(one) > STACK - 2:
            break
        text += one
    return text


def _program():
    """The module that is run with -m, else the name of the script."""
    main = _modules.get("__main__")
    name = getattr(getattr(main, "__spec__", None), "name", "") or os.path.basename(
        (getattr(sys, "argv", None) or [""])[0]
    )
    return name.encode("utf-8", "replace")[: ROOTS_AT - PROGRAM_AT - 1] + b"\0"


def _thread_of_now():
    return getattr(_modules.get("threading"), "_active", {}).get(_ident())


def _cut(name, most):
    """A name as bytes, so many at most; dots say that there was more."""
    raw = name.encode("utf-8", "replace")
    return raw if len(raw) <= most else raw[: most - 3] + b"..."


def _task_name():
    """Of the asyncio task that runs."""
    asyncio = _modules.get("asyncio.tasks")
    loop = asyncio and getattr(asyncio, "_get_running_loop", asyncio.events._get_running_loop)()
    task = asyncio.current_task(loop) if loop else None
    return _cut(task.get_name(), 28) if task is not None else b""


def _fileno(sock):
    """The descriptor of a socket, -1: it has none."""
    made = _modules["_socket"].socket
    return made.fileno(sock) if isinstance(sock, made) else -1


def _kind_of_mode(mode):
    for test, kind in ((stat.S_ISSOCK, SOCKET), (stat.S_ISFIFO, PIPE), (stat.S_ISREG, FILE)):
        if test(mode):
            return kind
    return OTHER


def _is_regular(fd):
    try:
        return stat.S_ISREG(_fstat(fd).st_mode)
    except OSError:
        return False


def _find_file(expected, name):
    """The descriptor of a file that was just opened: the one that was expected, or one with that name; -1: it was not
    opened, or is closed already."""
    try:
        if _readlink("/proc/self/fd/%d" % expected).encode("utf-8", "replace").endswith(name):
            return expected
        for one in sorted(map(int, _listdir("/proc/self/fd")), reverse=True):  # another thread was faster
            if _readlink("/proc/self/fd/%d" % one).encode("utf-8", "replace").endswith(name):
                return one
    except OSError:
        if not _LINUX:
            return expected if _is_regular(expected) else -1
    return -1


def _reserve(fd, begin, size):
    if size > 0 and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, begin, size)


def _is_ip(host):
    return type(host) is str and (":" in host or host.replace(".", "").isdigit())


def _started():
    """(start of this process in ticks since the boot, pid of its parent); elsewhere than on Linux no ticks but 0."""
    if not _LINUX:
        return 0, os.getppid()
    fields = _read("/proc/self/stat").rpartition(b")")[2].split()
    return int(fields[19]), int(fields[1])


def _boot():
    return _read("/proc/sys/kernel/random/boot_id")[:36] if _LINUX else b""


def _read(path):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 4096)
    finally:
        _close(fd)


def _as(wrapped, function):
    """A wrapper that says the name of what it wraps."""
    for name in ("__name__", "__qualname__", "__doc__", "__module__", "__text_signature__"):
        if hasattr(function, name) and name != "__text_signature__":
            setattr(wrapped, name, getattr(function, name))
    wrapped.__wrapped__ = function
    return wrapped


def _of_a_signal(exc):
    """Whether the handler of a signal raised it: that is the one function here that is given a frame."""
    trace = exc.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_filename != __file__:
            values = frame.f_locals.values()
            given = [one for value in values for one in (value if type(value) is tuple else (value,))]
            if any(type(one) is type(frame) for one in given):
                return True
        trace = trace.tb_next
    return False


def blind(executable, arguments, environment, source):
    """Why a child that is started so is a Python that does not load us; empty: it does, or is none."""
    try:
        arguments = [os.fsdecode(one) for one in arguments]
        program = os.path.basename(os.fsdecode(executable or arguments[0]))
    except (TypeError, IndexError):
        return ""
    if not program.startswith(("python", "pypy")):
        return ""
    rest = iter(arguments[1:])
    for one in rest:
        if not one.startswith("-") or one in ("-", "--") or one.startswith("--"):
            break
        for place, letter in enumerate(one[1:], 1):
            if letter in "IES":
                return "%s -%s" % (program[:30], letter)
            if letter in "cm":
                rest = iter(())
                break
            if letter in "XW":
                if place == len(one) - 1:
                    next(rest, None)
                break
    if environment is not None:
        try:
            path = environment.get("PYTHONPATH") or environment.get(b"PYTHONPATH") or ""
        except AttributeError:
            return ""
        if source not in os.fsdecode(path):
            return "%s, PYTHONPATH set anew" % program[:20]
    return ""


def waiting_lines(line_of):
    """Lines of the task that waits for the running one, as far as that can be told: a tuple.

    line_of: gives the line at which a frame stands, something false where it is of no interest."""
    asyncio, trio = _modules.get("asyncio"), _modules.get("trio")
    return (asyncio and _of_asyncio(asyncio, line_of)) or (trio and _of_trio(trio, line_of)) or ()


def _of_asyncio(asyncio, line_of):
    """asyncio does not know which task waits for which, but a waiting task leaves a callback with the one it waits for.
    Nothing when no task waits yet, or several do."""
    try:
        me = asyncio.current_task()
    except (AttributeError, RuntimeError):
        return ()
    if me is None:
        return ()
    waiting, found = [me], []
    for future in waiting:  # which grows
        for callback, *_ in getattr(future, "_callbacks", None) or ():
            for one in _behind(callback, line_of):
                if asyncio.isfuture(one) and not any(one is other for other in waiting) and len(waiting) < _DEPTH:
                    lines = _suspended(one.get_coro(), line_of) if hasattr(one, "get_coro") else ()
                    found += [lines] if lines else []
                    waiting += [] if lines else [one]
    return found[0] if len(set(found)) == 1 else ()


def _behind(callback, line_of):
    """What a callback of a future is for: a task that awaits it, the future of gather, wait, wait_for or shield, the
    task in which a group of tasks lives."""
    things = [getattr(callback, "__self__", None), *getattr(callback, "args", ())]
    for cell in getattr(callback, "__closure__", None) or ():
        try:
            things.append(cell.cell_contents)
        except ValueError:  # empty
            pass
    homes = [getattr(one, "_parent_task", None) for one in things]  # asyncio.TaskGroup
    homes += [getattr(getattr(one, "cancel_scope", None), "_host_task", None) for one in things]  # that of anyio
    return [*things, *(task for task in homes if task is not None and _waits_for_its_group(task, line_of))]


def _waits_for_its_group(task, line_of):
    """Whether a task stands at the end of a group, or in a library that has made one; and not at a line of one's own
    within an `async with`."""
    coroutine, own = task.get_coro(), True
    while coroutine is not None:
        if getattr(coroutine, "__name__", "") == "__aexit__":
            return True
        frame = getattr(coroutine, "cr_frame", None)
        if frame is not None and kind_of(frame.f_code.co_filename, None):
            own = bool(line_of(frame))
        coroutine = getattr(coroutine, "cr_await", None)
    return not own


def _of_trio(trio, line_of):
    try:
        task = trio.lowlevel.current_task()
    except (AttributeError, RuntimeError):
        return ()
    lines = ()
    while not lines and task.parent_nursery is not None:
        task = task.parent_nursery.parent_task
        lines = _suspended(task.coro, line_of)
    return lines


def _suspended(coroutine, line_of):
    """The lines at which a coroutine stands, the innermost first."""
    lines = []
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        line = line_of(frame) if frame is not None else None
        if line:
            lines.append(line)
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return tuple(reversed(lines))
