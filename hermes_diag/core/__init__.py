"""Data and errors: what every other room speaks in."""
