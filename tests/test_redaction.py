"""Texts of errors without what looks like a secret, but with what tells the failure; the time grows as the text."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from hermes_diag.core import called, redact

SECRET = "hunter2zz"


@pytest.mark.parametrize(
    "text",
    [
        '{{"error":"{{\\"password\\":\\"{}\\"}}"', "session={}; x", "PHPSESSID={}", "pw={}", "passcode={}", "dbpass={}",
        "password for bob: {}", "<password>{}</password>", "password => {}", "PASSWORD := {}", "password({})",
        "password; {}", "password -> {}", "password - {}", "password%3D{}", "password&#61;{}", "pass phrase {}",
        "session_id={}", "JSESSIONID: {}", "sas={}", "pin={}", "user bob:{}", "curl -u bob:{}", "API-Key {}",
        "pwd:{}", "pwd={}", "pwd: {}", "password {}", "password is {}", "the password was {}", "passwd={}",
        "pass={}", "passphrase={}", "PASSPHRASE: '{}'", "token {}", "token: {}", "access_token={}",
        "refresh-token {}", "auth={}", "auth: {}", "x-api-key {}", "X-API-Key: {}", "Proxy-Authorization {}",
        "Proxy-Authorization: Basic {}", "Authorization: Bearer {}", "authorization: Digest {}",
        "Authorization Negotiate {}", "sid={}", "connect_sid={}", "sig={}", "signature={}", "code={}",
        "oauth code: {}", "Cookie: a=b; c={}", "set-cookie: sid={}; Path=/", '"password": "{}"',
        "{{'api_key': '{}'}}", 'secret = "{} and more words"', "jwt={}", "otp={}", "csrf={}",
        "API key provided: {}.", "client_secret={}", "AWS_SECRET_ACCESS_KEY={}", "https://u:{}@host.example/x",
        "https://host.example/cb?code={}", "postgres://app:{}@db/x", "user:{}@host.example",
    ],
)  # fmt: skip
def test_a_value_by_its_name_goes(text: str) -> None:
    """Whatever the sign between them, or none."""
    assert SECRET not in redact.line(f"refused with {text.format(SECRET)}")


@pytest.mark.parametrize(
    "value",
    [
        "sk-proj-abcDEF", "sk-ant-api03-abc", "pk_live_abc", "rk-abc", "ghp_abcdef", "gho_abc", "github_pat_11AB",
        "glpat-abc", "xoxb-1-abc", "xapp-1-A", "AKIAIOSFODNN", "ASIAX7", "AIzaSyA", "hf_abc", "ya29.a0Af", "npm_abc",
        "SG.abc.def", "pypi-AgEI", "gsk_abc", "dckr_pat_abc", "hvs.CAES", "shpat_abc", "whsec_abc",
        "eyJhbGciOi.eyJzdWIi.c2ln", "r8_abc", "tvly-abc", "nvapi-abc", "0123456789abcdef0123456789abcdef",
        "Bearer abc", "basic YTpi",
    ],
)  # fmt: skip
def test_a_key_by_its_shape_goes(value: str) -> None:
    """Those of well-known services, and what is long and has a digit."""
    for text in (value, f"bad key {value} there", f"({value})", f"x={value}", f"'{value}'"):
        assert value not in redact.line(text), text


def test_a_private_key_goes_with_its_body() -> None:
    body = "MIIEowIBAAKCAQEA" * 3
    for text in (
        f"-----BEGIN RSA PRIVATE KEY----- {body} -----END RSA PRIVATE KEY----- follows",
        f"-----BEGIN PRIVATE KEY-----\\n{body}",
        f"key -----BEGIN OPENSSH PRIVATE KEY-----{body}",
    ):
        assert "MII" not in redact.line(text)
        assert "MII" not in redact.name(text)


@pytest.mark.parametrize(
    "text",
    [
        "token limit 4096", "token count must be below 128000", "max_tokens=4096 is too large",
        "completion_tokens: 12", "password required", "passwords must not be empty", "Password is incorrect",
        "the password has expired", "secret not found", "Authorization header missing", "authorization failed",
        "cookie expired", "code=404", "status_code=500", "Error code: 429 - too many requests",
        "code: insufficient_quota", "code=ECONNRESET", "exit code 1", "KeyError: 'model'",
        "the key 'model' is missing", "invalid token", "token expired at 12:00",
        "The api_key client option must be set", "by setting the OPENAI_API_KEY environment variable", "Basic",
        "author: anna", "monkey business", "passing arguments", "a side effect", "signal 15", "design=flat",
        "tokenizer v2", "Unicode error", "SG. and others", "pypi index", "Connection error.", "assigned=true",
        "compass heading",
    ],
)  # fmt: skip
def test_ordinary_words_stay(text: str) -> None:
    """What an error says of keys and tokens in general is what tells the failure."""
    assert redact.line(text) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x?pwd=hunter2", "x?"), ("sid=hunter2", ""), ("a sig=hunter2 b", "a "), ("my_pass=hunter2", ""),
        ("auth=hunter2", ""), ("code=4fAbC12345", ""), ("npm_hunter2abc", ""), ("ya29.hunter2abcdefghijk", ""),
        ("SG.hunter2abcdefghij.kl", ""), ('passphrase="hunter2 and more"', ""),
    ],
)  # fmt: skip
def test_in_names_too(text: str, kept: str) -> None:
    shown = redact.name(text)
    assert "hunter2" not in shown
    assert "4fAbC12345" not in shown
    assert shown.startswith(kept + redact.GAP)


@pytest.mark.parametrize(
    "text", ["code=404", "decode=utf-8", "design=3", "compass=12", "x.sig", "pass.py", "auth.json"]
)
def test_ordinary_names_stay(text: str) -> None:
    assert redact.name(text) == text


#: Each would cost the square of its length, or more, where a pattern goes back and tries again.
TANGLES = (
    "a-", "a", "key ", "key:", "token", "'", '"', "`", "a@", "@", "://", "a://", "password is is is ", "bearer ",
    "a=;", "1a", " ", "_", "code=", "sk-", "eyJ", "-----BEGIN PRIVATE KEY-----", "Cookie: a=b; ",
    "authorization basic ", "x@y://", "\\n", "%", "A1/", "(", "token='", "secret\t", "gh_",
)  # fmt: skip


def cost(work: Callable[[str], object], text: str) -> float:
    """Seconds of the processor, the least of some: what the text costs, and not what else the machine did."""
    least = 1e9
    for _ in range(3):
        begin = time.process_time()
        work(text)
        least = min(least, time.process_time() - begin)
    return least


@pytest.mark.parametrize(
    "work", [redact.line, redact.name, lambda text: called.without(text, "")], ids=["line", "name", "called"]
)
def test_the_time_grows_as_the_text_does(work: Callable[[str], object]) -> None:
    """Four times the text costs four times as much; of a square it would be sixteen."""
    for tangle in TANGLES:
        size = 6_000 // len(tangle)
        once, again = cost(work, tangle * size + "!"), cost(work, tangle * (4 * size) + "!")
        assert again < 9 * once + 0.005, (tangle, once, again)


def test_a_square_would_be_seen() -> None:
    """Proof that the measure above can fail."""
    import re

    square = re.compile(r"[^\s@]+@[^\s@]+")
    once, again = (cost(lambda text: square.sub("", text), "a" * size) for size in (1_500, 6_000))
    assert again > 9 * once + 0.005


def test_an_error_of_a_megabyte_and_a_payload_as_large() -> None:
    """What is quoted from the payload is looked for in bounded time, too."""
    payload = "the owl hoots at 4711north " * 40_000
    begin = time.process_time()
    shown = redact.line("it said: " + payload, payload)
    assert time.process_time() - begin < 5
    assert "owl" not in shown
