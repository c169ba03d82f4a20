"""Where Hermes keeps things, and the cells that drive it."""
