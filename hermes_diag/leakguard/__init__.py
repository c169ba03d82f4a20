"""Says what a piece of code leaves behind: sockets, descriptors, threads, and the lines that opened them."""
