"""The worker's processes: one interpreter imports the SDK, its lanes fork a process for each job.

    interpreter   imports the SDK, once; has it parse one canned reply; forks the lanes
      lane        reads a job, forks a child that inherits it, waits for the child; again until EOF
        job       runs the loop; everything that is sampled happens in here

Importing openai costs about a second and a fork a few milliseconds; and no socket, garbage or closed
pool of one job is ever counted in another. Nothing here starts a thread or opens a socket before the
last fork. With --spawn (no fork on the platform, or a fresh interpreter is wanted) the interpreter
runs one job itself and leaves.
"""

import argparse
import contextlib
import faulthandler
import glob
import json
import os
import signal
import sys
import traceback

from . import sdk_version
from .channel import HOST_GONE, Channel, Commands
from .contract import HERMES, PHRASES, PROTOCOL, Done, Exited, Fact, Failed, Hello, Job, Measured, Started, Unfit


def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--lane", action="append", required=True, help="TALK,STDERR descriptors")
    parser.add_argument("--host", type=int, required=True, help="pid of the process that started us")
    parser.add_argument("--spawn", action="store_true")
    options = parser.parse_args(argv)
    lanes = [tuple(int(fd) for fd in lane.split(",")) for lane in options.lane]
    for fd in (fd for lane in lanes for fd in lane):
        os.set_inheritable(fd, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the host's to handle
    _die_with_parent()
    if os.getppid() != options.host:  # the parent ended before that
        return HOST_GONE
    warm = Commands(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the code under test must not read our commands
    try:
        from . import sdk
    except sdk_version.OldSDK as exc:
        least = ".".join(map(str, sdk_version.OLDEST_SDK))
        return _decline(lanes, Unfit("openai", str(exc), least))
    except Exception as exc:  # also a broken install: anything that the import raises
        return _decline(lanes, _failed(exc))
    if options.spawn:
        return _lane(lanes[0], sdk, spawn=True)
    order = _read(warm)
    if order is None:
        return HOST_GONE
    try:
        sdk.warm(*order)
    except Exception as exc:  # of a certificate's file that is not there, for example
        return _decline(lanes, _failed(exc))
    return _fork_lanes(lanes, sdk)


def _decline(lanes, event):
    for talk, _ in lanes:
        Channel(talk).send(event)
    return 3


def _die_with_parent():
    """Have the kernel kill this process when its parent ends (Linux)."""
    _prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _prctl(option, value):
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(option, value)


def _fork_lanes(lanes, sdk):
    pids = []
    for own in lanes:
        pid = os.fork()
        if pid == 0:
            _die_with_parent()
            for fd in (fd for lane in lanes if lane is not own for fd in lane):
                os.close(fd)
            code = 1
            try:
                code = _lane(own, sdk, spawn=False)
            finally:
                os._exit(code)
        pids.append(pid)
    for fd in (fd for lane in lanes for fd in lane):
        os.close(fd)
    for pid in pids:
        os.waitpid(pid, 0)
    return 0


def _lane(fds, sdk, spawn):
    channel = Channel(fds[0])
    os.dup2(fds[1], 2)
    os.dup2(fds[1], 1)  # a library's print must not end up anywhere but on stderr
    # The host asks for stacks when it has waited too long; C code, so it works in a deadlock too.
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    channel.send(Hello(protocol=PROTOCOL, **sdk.stack()))
    _prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: what a job leaves running becomes our child
    while True:
        order = _read(channel.commands)
        if order is None:
            return 0
        if spawn:
            code = _run(order, channel, sdk)
            _end_orphans()
            os._exit(code)  # a thread that never ends would hold an ordinary exit
        try:
            pid = os.fork()
        except OSError as exc:  # there may be no more processes, or no memory
            channel.send(_failed(exc))
            channel.send(Exited(3))
            continue
        if pid == 0:
            _die_with_parent()  # its own thread that listens cannot end it while C code holds the GIL
            code = 1
            try:
                code = _run(order, channel, sdk)
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        _end_orphans()
        channel.send(Exited(os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)))


def _end_orphans():
    """Kill the processes that the job's code has started and left behind, also detached ones (Linux)."""
    children = _children()
    while children:
        for pid in children:  # their children become ours in turn
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        children = _children()


def _children():
    found = []
    for path in glob.glob("/proc/self/task/*/children"):
        with contextlib.suppress(OSError), open(path) as file:
            found += [int(pid) for pid in file.read().split()]
    return found


def _read(commands):
    """The next (Job, payload), or (api, reply) to warm up with; None when the host is gone.

    Stray `go` lines, meant for a job that has died since, are dropped.
    """
    while True:
        line = commands.line()
        if line is None:
            return None
        if not line.startswith(b"{"):
            continue
        order = json.loads(line)
        payload = commands.exactly(order.pop("payload_bytes"))
        if payload is None:
            return None
        if "warm" in order:
            return order["warm"], payload
        return Job(**order), json.loads(payload)


def _run(order, channel, sdk):
    from . import fence, recording, replay, supervised

    job, payload = order
    recording.begin(job.settings.get("record"))
    channel.send(Started(os.getpid()))
    counter, ended, code = None, Done(), 0
    try:
        channel.listen()
        counter = fence.install(job.settings, sdk.http, programs=job.strategy != HERMES)
        if job.strategy == HERMES:
            from . import hermes_agent

            hermes_agent.run(job, sdk, channel)
        else:
            replay.run(job, payload, sdk, channel)
    except supervised.Broken as exc:
        ended, code = exc.failed, 3
    except Exception as exc:
        ended, code = _failed(exc), 3
    if fence.wanted:
        channel.send(Fact("refused", fence.wanted))
    if counter is not None:
        channel.send(Measured("requests", counter.sent, "requests"))
    channel.send(ended)
    return code


def _failed(exc):
    """A failure of ours as data: class and frames, never the text, which may quote the user's data.

    Of a Refusal the reason, which is a text of ours.
    """
    if getattr(exc, "plain", ""):
        return Failed(exc.plain, ())
    said = ": " + exc.name if isinstance(exc, ImportError) and exc.name else ""
    if isinstance(exc, SyntaxError) and exc.filename:
        said = " in %s:%d" % (os.path.basename(exc.filename), exc.lineno or 0)
    if isinstance(exc, RuntimeError):
        said = next((": " + phrase for phrase in PHRASES if phrase in str(exc)), "")
    frames = traceback.extract_tb(exc.__traceback__)[-8:]
    return Failed(
        type(exc).__name__ + said,
        tuple("%s:%d %s" % (os.path.basename(f.filename), f.lineno or 0, f.name) for f in frames),
    )
