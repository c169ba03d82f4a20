"""A Report in, text or a renderable out; writing it is the caller's."""
