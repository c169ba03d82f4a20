"""A process from outside: its connections, descriptors and threads, once or for hours."""
