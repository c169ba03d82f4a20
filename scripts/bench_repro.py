"""`scripts/bench repro`: the default run's wall time against `python -c "import openai"` (aim: 6)."""

from pairs import against_import

if __name__ == "__main__":
    against_import(10, "repro")
