"""Values behind the name of a secret thing: `api_key=X`, `password is X`, `Proxy-Authorization: Basic X`. Pure.

A word of a text is looked at once, and what stands behind it only where the word is such a name: the time grows as the
text does.

Behind `:` and `=` whatever stands there is taken out, but for the number or word behind a `code`, and the number behind
`tokens`. Behind a blank, a comma or a bracket a name may also be a word of a sentence, `token limit 4096` or `password
required`: there a value goes if it does not look like an ordinary word or number. Behind the name of a password an
ordinary word goes too, unless it is one of those that stand there in errors.
"""

from __future__ import annotations

import re

from hermes_diag.core.spotted import words

_NAME = re.compile(r"(?<![\w-])[\w-]++")
#: A whole name ends with one of these, or is one of the short ones behind its last dash or underscore.
_ENDS = re.compile(
    r"(key|token|secret|passw[a-z]{0,8}|passphrase|passcode|authorization|cookie|credential|signature|apikey"
    r"|sess(?:ion)?[-_]?(?:id)?|(?:db|user|admin|root|sql|smtp|ftp|http|proxy|ssh|ldap)(?:pass|pwd|pw))s?$",
    re.IGNORECASE,
)
_SHORT = frozenset(
    {"pw", "pwd", "pass", "auth", "oauth", "sid", "sig", "sas", "code", "pin", "otp", "jwt", "csrf", "xsrf"}
)
#: Behind these a plain word may be the secret, too; behind the latter a number.
_STRONG = re.compile(r"passw|pwd|passphrase|passcode|secret|authorization|cookie|api[-_]?key|^x-", re.IGNORECASE)
_OF_NUMBERS = frozenset({"otp", "pin", "passcode"})
#: What may stand between the name and its value: blanks and brackets, words of a sentence, and a sign, which in an
#: address and in HTML may be written in another way.
_BETWEEN = re.compile(
    r"['\"]?([\s(\[,;|-]{0,8})(?:phrase\b\s{0,8})?"
    r"(?:(?:for|of)\s{1,4}(?:[^\s:=]{1,60}\s{0,4}){1,3}(?=[:=]))?"
    r"(?:(?:is|was|are|provided|given|used|value|set to)\b\s{0,8}){0,3}"
    r"(=>|->|:=|==|[:=>]|%3[ad]|&#0{0,3}(?:58|61);)?[\s(\[]{0,8}",
    re.IGNORECASE,
)
_VALUE = re.compile(r"\"[^\"]*+\"?|'[^']*+'?|`[^`]*+`?|\S++")
#: A scheme of authorization; the credentials follow it.
_SCHEME = re.compile(r"(?:bearer|basic|digest|token|negotiate|ntlm|apikey|aws4-[\w-]{1,40})$", re.IGNORECASE)
#: The rest of a header that has several values.
_MORE = re.compile(r"(?<=[;,])\s{0,8}[^\s;=]{1,80}=\S++")
#: An ordinary word or a number, with what may stand around it; of a name with dashes too.
_WORD = re.compile(r"\W*(?:[A-Za-z][a-z]*(?:[-_'][a-z]+)*|[A-Z]+(?:_[A-Z]+)*|\d{1,7}(?:[.,]\d+)*[a-z%]{0,2})?\W*")
_NUMBER = re.compile(r"\W*\d{1,7}(?:[.,]\d+)*\W*")
#: What errors say behind "password" and its like.
_SAID = words(
    "a access an and are at auth authentication be been by cannot changed check client could denied does empty "
    "environment error expired failed failure field file for found from given has hash have header headers in "
    "incorrect invalid is length limit list manager may mismatch missing must needed none not null of on option or "
    "parameter policy prompt protected provided refused rejected required reset revoked rotated scanning set should "
    "store the to too type undefined unknown unset value variable was will with without would wrong"
)


def without(text: str, gap: str) -> str:
    """The text with `gap` for each such name and its value."""
    parts, at = [], 0
    while found := _NAME.search(text, at):
        end = _end(text, found)
        parts += [text[at : found.start()], gap] if end else [text[at : found.end()]]
        at = end or found.end()
    return "".join([*parts, text[at:]])


def _end(text: str, name: re.Match[str]) -> int:
    """Where the value behind a name ends; 0 where the name has none."""
    if not is_called(name[0]):
        return 0
    between = _BETWEEN.match(text, name.end())
    value = _VALUE.match(text, between.end()) if between else None
    if between is None or value is None or not (between[2] or between.end() > name.end()):
        return 0
    judge = _goes_behind_sign if between[2] else _goes_behind_blank
    if not judge(name[0], value[0]):
        return 0
    end = value.end()
    if _SCHEME.match(value[0]) and (credentials := re.compile(r"\s{1,8}\S++").match(text, end)):
        end = credentials.end()
    while more := _MORE.match(text, end):
        end = more.end()
    return end


def is_called(name: str) -> bool:
    """Whether it is the name of something secret."""
    return bool(_ENDS.search(name)) or re.split(r"[-_]", name.lower())[-1] in _SHORT


def _goes_behind_sign(name: str, value: str) -> bool:
    low = name.lower()
    if low.endswith("code"):
        return not _WORD.fullmatch(value)
    return not (low.endswith("tokens") and _NUMBER.fullmatch(value))


def _goes_behind_blank(name: str, value: str) -> bool:
    if not _WORD.fullmatch(value) or (name.lower() in _OF_NUMBERS and _NUMBER.fullmatch(value)):
        return True
    plain = value.strip(".,:;!?()[]{}'\"`").lower()
    return bool(_STRONG.search(name)) and bool(plain) and plain not in _SAID and not _NUMBER.fullmatch(value)
