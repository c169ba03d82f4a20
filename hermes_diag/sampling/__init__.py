"""Looks at a process's TCP sockets from outside."""
