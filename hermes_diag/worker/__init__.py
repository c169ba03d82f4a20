"""The replay worker: a program of its own, run by file path in any Python >= 3.9."""
