"""Asks a running Python process itself who holds its sockets (`sys.remote_exec`, Python 3.14 and newer).

`inside/` runs in the process, `bundle.py` makes one script of it, `ask.py` has it run and reads what it found,
`rights.py` explains a refusal.
"""
