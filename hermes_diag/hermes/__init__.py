"""Where Hermes keeps things, environments with its releases, and the cells that drive it."""
