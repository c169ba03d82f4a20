"""Runs a plan: payloads, interpreters, lanes, one cell, all cells, the real endpoint, the capture."""
