"""Real processes that leak, and healthy ones that look as if they did, watched all at once: scripts/truth processes.

scripts/truth processes [--seconds N] [--only NAME]      exit code 1 when a verdict is wrong
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from hermes_diag.watch.observer import Observer
from hermes_diag.watch.records import Summary
from hermes_diag.watch.timeline import Timeline
from hermes_diag.watch.watch import Watch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import lifelike


def watch(pid: int, seconds: float) -> Summary:
    under_way = Watch(Observer(pid), seconds / 80, seconds)
    timeline = Timeline(under_way.watched())
    for tick in under_way:
        timeline.add(tick)
    return timeline.summary(under_way.ended)


def run(seconds: float, names: list[str]) -> dict[str, Summary]:
    """Watch one process of each name."""
    found: dict[str, Summary] = {}
    with ExitStack() as stack:
        processes = {}
        for name in names:
            command = [sys.executable, lifelike.__file__, name, str(seconds)]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            processes[name] = stack.enter_context(process)
            stack.callback(process.communicate)
        for process in processes.values():
            assert process.stdout is not None
            process.stdout.readline()
        workers = [
            threading.Thread(target=lambda n=name, p=process: found.update({n: watch(p.pid, seconds)}))
            for name, process in processes.items()
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    return found


def is_right(name: str, found: Summary) -> bool:
    """A leak is found and named; a healthy process is clean."""
    if name in lifelike.LEAKS:
        return found.exit_code == 1 and lifelike.LEAKS[name] in found.verdict
    return found.exit_code == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--only", action="append")
    options = parser.parse_args()
    found = run(options.seconds, options.only or [*lifelike.LEAKS, *lifelike.HEALTHY])
    for name, one in found.items():
        print(f"{'right' if is_right(name, one) else 'WRONG'}  {name}: exit {one.exit_code}, {one.verdict}")
    return 0 if all(is_right(name, one) for name, one in found.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
