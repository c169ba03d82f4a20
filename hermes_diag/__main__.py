"""``python -m hermes_diag`` is the same program as ``hermes-diag``."""

from hermes_diag.cli import main

if __name__ == "__main__":
    main()
