"""Has `hermes-diag bisect` find, on real releases of Hermes Agent, where two things went or came. About 15 minutes, as
the environments are made; asks the package index. Nobody tells it where:

where the request went that an aborted turn sends again (posts-unwanted): 0.18.1 is the first without it
since when the process itself holds the socket that an aborted turn leaves ESTABLISHED: 0.15.0 is the first release in
which it has an owner (without ownerless-grows); in 0.13.0 and 0.14.0 nobody can close it any more
"""

from __future__ import annotations

import json
import subprocess
import sys

#: What is asked, and the release that it is to find.
ASKED = (
    (("--good", "0.19.0", "--bad", "0.15.0", "--finding", "posts-unwanted"), "hermes-agent 0.18.1"),
    (("--good", "0.19.0", "--bad", "0.13.0", "--finding", "ownerless-grows"), "hermes-agent 0.15.0"),
)


def main() -> int:
    """0 when both were found where they are."""
    wrong = 0
    for options, first in ASKED:
        command = [sys.executable, "-m", "hermes_diag", "bisect", *options, "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout) if done.stdout else {"first": "nothing", "verdict": "no result"}
        wrong += found["first"] != first
        print(f"{'ok' if found['first'] == first else 'WRONG'}: {' '.join(options)}: {found['verdict']}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
