"""Room for the bodies of requests: however many clients send how much, a provider holds no more of it at a time."""

from __future__ import annotations


class Room:
    """So many bytes for all requests together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0


class Share:
    """What one request has of it, from its first byte until its answer is out."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0

    def take(self, size: int) -> bool:
        """Take so many bytes more; False: there is no room for them."""
        if self._room.taken + size > self._room.most:
            return False
        self._room.taken += size
        self._size += size
        return True

    def free(self) -> None:
        """Give all back."""
        self._room.taken -= self._size
        self._size = 0
