"""The oldest SDK that the worker can drive, and the exception for an older one."""

#: openai 2.24: the release that the bug was reported on.
OLDEST_SDK = (2, 24)


class OldSDK(ImportError):
    """An SDK that is too old; args: the version found."""


def require(version):
    """Raise OldSDK for a version string below OLDEST_SDK."""
    parts = []
    for part in version.split(".")[:2]:
        digits = "".join(char for char in part if char.isdigit())
        parts.append(int(digits or 0))
    if tuple(parts) < OLDEST_SDK:
        raise OldSDK(version)
