"""`--remote` and `--state`: what matches, and what is refused."""

from __future__ import annotations

import pytest

from hermes_diag.core.errors import UsageError
from hermes_diag.core.sockets import SocketRow
from hermes_diag.watch import filters


def row(ip: str, port: int = 443) -> SocketRow:
    return SocketRow("ESTABLISHED", ("127.0.0.1", 50000), (ip, port))


@pytest.mark.parametrize(
    ("wanted", "ip", "matches"),
    [
        ("::ffff:1.2.3.4", "1.2.3.4", True),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4", True),
        ("[::ffff:102:304]", "1.2.3.4", True),
        ("[::ffff:1.2.3.4]:443", "::ffff:1.2.3.4", True),
        ("[::ffff:1.2.3.4]:80", "::ffff:1.2.3.4", False),
        ("::ffff:1.2.3.5", "1.2.3.4", False),
        ("::ffff:1.2.0.0/112", "1.2.3.4", True),
        ("::ffff:1.2.0.0/112", "1.3.3.4", False),
        ("1.2.3.4", "::ffff:1.2.3.4", True),
        ("fe80::1%eth0", "fe80::1", True),
        ("[fe80::1%eth0]:443", "fe80::1", True),
        ("::/0", "2001:db8::1", True),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1", True),
        ("[2001:db8::1:80]", "2001:db8::1:80", True),
        ("10.0.0.0/8:443", "10.1.2.3", True),
    ],
)
def test_what_matches(wanted: str, ip: str, matches: bool) -> None:
    """An IPv4-mapped address is the IPv4 one, on either side; scopes are not compared."""
    assert filters.remotes([wanted])(row(ip)) is matches


@pytest.mark.parametrize(
    "wanted",
    ["[::1", "[::1]80", "[::1]x", "[::1]:", "127.0.0.1:", "127.0.0.1:" + "9" * 5000, "[]", ":80", "", "1::2::3"],
)
def test_what_is_refused(wanted: str) -> None:
    """Half an address, or half a port, is not taken for a whole one."""
    with pytest.raises(UsageError) as caught:
        filters.remotes([wanted])
    assert caught.value.hint
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("wanted", ["::1:80", "2001:db8::1:443"])
def test_ambiguous(wanted: str) -> None:
    """Address and port, or an address: both ways to say it are named, and each of them is accepted."""
    with pytest.raises(UsageError, match="a port or the end") as caught:
        filters.remotes([wanted])
    port, address = caught.value.hint.removeprefix("write ").split(" or ")
    head, _, tail = wanted.rpartition(":")
    assert filters.remotes([port])(row(head, int(tail)))
    assert filters.remotes([address])(row(wanted))
