"""Judges whether a text is a credential: by its form, by its name, or by how random it is. Few false alarms go first.

A value that only refers to a secret (``$(VAR)``, ``${VAR}``, a vault's path, an encrypted value) is none.
"""

from __future__ import annotations

import base64
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from policy.patterns import Pattern

_FORMS = (
    (Pattern(r"-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----"), "holds a private key"),
    (Pattern(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"), "holds an AWS access key"),
    (Pattern(r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"), "holds a GitHub token"),
    (Pattern(r"\bglpat-[A-Za-z0-9_-]{20,}"), "holds a GitLab token"),
    (Pattern(r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"), "holds a Slack token"),
    (Pattern(r"\bAIza[A-Za-z0-9_-]{35}\b"), "holds a Google API key"),
    (Pattern(r"\b[rs]k_live_[A-Za-z0-9]{16,}"), "holds a Stripe key"),
    (Pattern(r"\bnpm_[A-Za-z0-9]{36}\b"), "holds an npm token"),
    (Pattern(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"), "holds a signed token (JWT)"),
)
_SHORTEST_FORM = 15
"""As many characters has the shortest of them, the Slack token."""
_REMEMBERED = 4_000
_URL_PASSWORD = Pattern(r"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"]*:([^\s/@'\"]+)@")
_REFERENCE = Pattern(
    r"\$\(.+\)|\$\{.+\}|\$[A-Za-z_]\w*|%\(.+\)s|\{\{.+\}\}|<[^>]+>|ENC\[.+\]|ref\+.+|vault:.+|op://.+"
    r"|arn:.+|(https?|file)://.+|\.{0,2}/.+|~/.+",
    re.DOTALL,
)
_WORDS = Pattern(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS = ("password", "passwd", "passphrase", "secret", "token", "credential", "credentials", "apikey", "pwd")
_SECRET_EXACTLY = frozenset(_SECRET_WORDS)
_ABOUT_A_SECRET = Pattern(
    r"algorithm|audience|auth|class|claim|command|cookie|count|days|dir|directory|enabled|encryption|"
    r"endpoint|env|expiration|expires|expiry|field|file|folder|format|hasher|header|host|hours|id|"
    r"interval|issuer|key|length|limit|location|manager|max|method|min|minutes|mode|mount|ms|name|"
    r"namespace|namespaces|parameter|path|period|policy|port|prefix|project|provider|realm|ref|"
    r"reference|refresh|region|required|rotation|scope|scopes|seconds|size|store|strategy|suffix|"
    r"table|timeout|ttl|type|uri|url|user|username|validator|version"
)
_SECRET_KEYS = frozenset(
    {"access", "account", "api", "auth", "encryption", "master", "private", "secret", "session", "shared", "signing"}
)
_NO_SECRETS = frozenset(
    {
        "",
        "none",
        "null",
        "nil",
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
        "enabled",
        "disabled",
        "required",
        "optional",
    }
    | {"basic", "bearer", "digest", "env", "file", "header", "jwt", "oauth2", "opaque", "prompt", "redacted"}
)
_NAMES_A_SECRET = Pattern(r"[a-z0-9.-]+-(secrets?|credentials|creds|tls|certs?|token|password|keys?)")
_RANDOM = Pattern(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_WORD = Pattern(r"[a-z]{7,}|[A-Z]{7,}|//")
_NOT_RANDOM = frozenset(
    {"ca", "cert", "certificate", "checksum", "digest", "fingerprint", "hash", "id", "public", "sha", "sum"}
)
_LEAST_ENTROPY = 4.2

_ASSIGNMENT = Pattern(
    r"""^[ \t]*(?:export[ \t]+|-[ \t]+)?["']?(?P<name>[A-Za-z_][\w.-]*)["']?[ \t]*[:=][ \t]*"""
    r"""(?P<value>"[^"\n]*"|'[^'\n]*'|[^\s"']+)[ \t]*[,;]?[ \t]*(?:#.*)?$""",
    re.MULTILINE,
)
_REDIS = Pattern(r"^[ \t]*(?P<name>requirepass|masterauth)[ \t]+(?P<value>\S+)", re.MULTILINE)
_IN_COMMAND = Pattern(r"""(?:^|\s)-{0,2}(?P<name>[A-Za-z_][\w.-]*)=(?P<value>"[^"]*"|'[^']*'|\S+)""")
_PROGRAMS = (".py", ".js", ".mjs", ".ts", ".go", ".rb", ".pl", ".lua", ".sh", ".bash", ".sql", ".html", ".css", ".md")


def is_reference(value: str) -> bool:
    """Says where a secret is (a variable, a path, a vault's or an encrypted value), and is none itself."""
    return _REFERENCE.fullmatch(value.strip()) is not None


def decoded(value: str) -> str:
    """What base64 stands for; the text itself where it is none."""
    try:
        return base64.b64decode(value, validate=True).decode(errors="replace")
    except ValueError:
        return value


@lru_cache(maxsize=_REMEMBERED)
def why_credential(name: str, value: str) -> str | None:
    """Why a named value looks like a credential, e.g. ``is named like a credential``; None if it does not."""
    form = _form(value)
    if form is not None:
        return form
    value = value.strip()
    if value.lower() in _NO_SECRETS or is_reference(value):
        return None
    words = [word.lower() for word in _WORDS.findall(name)]
    if _is_secret_name(words):
        return None if _NAMES_A_SECRET.fullmatch(value) else "is named like a credential"
    if _NOT_RANDOM.isdisjoint(words) and _is_random(value):
        return "is as random as a credential"
    return None


@lru_cache(maxsize=_REMEMBERED)
def why_credential_variable(name: str, value: str) -> str | None:
    """``why_credential`` for environment variables: ``SECRET_OF_SHOP`` tells one there, ``SECRET_NAME`` does not."""
    why = why_credential(name, value)
    if why is not None or is_reference(value) or value.strip().isdigit() or value.strip().lower() in _NO_SECRETS:
        return why
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or _ABOUT_A_SECRET.fullmatch(words[-1]) or _is_secret_name(words) or _SECRET_EXACTLY.isdisjoint(words):
        return None
    return "is named like a credential"


@lru_cache(maxsize=_REMEMBERED)
def credentials_in_file(file: str, text: str) -> Sequence[tuple[str, str]]:
    """Credentials in the text of a file: the name of each ("" where it has none) and why; programs are not parsed."""
    return tuple(_of_file(file, text))


def _of_file(file: str, text: str) -> Iterator[tuple[str, str]]:
    form = _form(text)
    if form is not None:
        yield "", form
    elif not file.endswith(_PROGRAMS):
        for pattern in (_ASSIGNMENT, _REDIS):
            yield from _named(pattern, text)


@lru_cache(maxsize=_REMEMBERED)
def credentials_in_command(words: tuple[str, ...]) -> Sequence[tuple[int, str, str]]:
    """Credentials in a command line: the word's index, the name ("" where it has none) and why."""
    return tuple(_of_command(words))


def _of_command(words: tuple[str, ...]) -> Iterator[tuple[int, str, str]]:
    for index, word in enumerate(words):
        form = _form(word)
        if form is not None:
            yield index, "", form
            continue
        yield from ((index, name, why) for name, why in _named(_IN_COMMAND, word))
        option = words[index - 1] if index else ""
        if option.startswith("-") and "=" not in option and not word.startswith("-"):
            name = "password" if option in ("--requirepass", "--masterauth") else option
            why = why_credential(name, word)
            if why is not None:
                yield index, option.lstrip("-"), why


def _named(pattern: Pattern, text: str) -> Iterator[tuple[str, str]]:
    for match in pattern.finditer(text):
        name, value = match["name"], match["value"].strip("\"'").rstrip(",;")
        why = why_credential("password" if name in ("requirepass", "masterauth") else name, value)
        if why is not None and not ("(" in value and ")" in value):
            yield name, why


def _form(value: str) -> str | None:
    for pattern, says in _FORMS if len(value) >= _SHORTEST_FORM else ():
        if pattern.search(value):
            return says
    if "://" not in value:
        return None
    for match in _URL_PASSWORD.finditer(value):
        if not is_reference(match[1]):
            return "holds a URL with a password"
    return None


def _is_secret_name(words: list[str]) -> bool:
    """The last word decides: DB_PASSWORD and clientSecret are, PASSWORD_FILE and SECRET_NAME are not."""
    while words and words[-1].isdigit():
        words = words[:-1]
    if not words:
        return False
    if words[-1] in ("key", "pass"):
        return len(words) > 1 and (words[-1] == "pass" or words[-2] in _SECRET_KEYS)
    return words[-1].endswith(_SECRET_WORDS)


def _is_random(value: str) -> bool:
    """Upper and lower case and digits mixed without a pattern: base64 of random bytes, not a word, a path or a hash."""
    if not _RANDOM.fullmatch(value) or _WORD.search(value):
        return False
    if sum(ord(after) - ord(before) == 1 for before, after in pairwise(value)) > len(value) / 4:
        return False
    kinds = (str.isupper, str.islower, str.isdigit)
    if any(sum(map(kind, value)) < 2 for kind in kinds):
        return False
    counts = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts) >= _LEAST_ENTROPY
