"""Disturbances of a run, one file each, found by listing this folder.

Each has `around(round)`, a context manager that is entered before the command starts and gives the numbers of the
signals that it will send. It may have `during(round)`, which is called once the command runs and returns those that it
has sent; and `fits(command)`, whether it makes sense with that command. NotPossible: not on this machine, or not as
this user.
"""


class NotPossible(Exception):
    """This disturbance cannot be had here."""
