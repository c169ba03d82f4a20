"""`scripts/bench audit`: an audit's wall time against `python -c "import openai"`."""

from pairs import against_import

if __name__ == "__main__":
    against_import(4, "audit", "fixed", pairs=7)
