"""A report in, text out; writing it is the caller's. One file in formats/ for each format."""
