"""Looks for weaknesses that are known: in our code with bandit, in the packages that we pin with pip-audit.

    PYTHON scripts/audit.py, with a Python that has both (`.ci/run` makes one)

1 when something is found that docs/security.md does not explain. A service for pip-audit that does not answer is no
finding: it is said that nobody could look.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
AUDIT = ["--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json", "--requirement=constraints.txt"]


def main() -> int:
    return int(code_is_weak()) | int(packages_are_weak())


def code_is_weak() -> bool:
    """What is left out is in pyproject.toml and beside `# nosec`."""
    done = _run("bandit", "--quiet", "--recursive", "-c=pyproject.toml", "hermes_diag", "scripts")
    print(done.stdout or done.stderr if done.returncode else "bandit: nothing that docs/security.md does not explain")
    return done.returncode != 0


def packages_are_weak() -> bool:
    done = _run("pip_audit", *AUDIT)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(f"pip-audit: COULD NOT LOOK: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
        return False
    found = [(one, weakness) for one in packages for weakness in one.get("vulns", ())]
    for one, weakness in found:
        mended = ", ".join(weakness["fix_versions"]) or "nothing yet"
        print(f"{one['name']} {one['version']}: {weakness['id']}, mended in {mended}")
    unknown = " ".join(one["name"] for one in packages if "skip_reason" in one)
    if len(unknown.split()) == len(packages):
        print(f"pip-audit: COULD NOT LOOK: no service told of any of {len(packages)} packages")
    else:
        print(f"pip-audit: {len(packages)} packages, {len(found)} weaknesses; not known there: {unknown or '-'}")
    return bool(found)


def _run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
