"""Runs a plan: payloads, interpreters, one cell, all cells, the capture."""
