"""Hosts that a text names: which words of an environment variable, an argument or a configuration file are hosts.

A word is taken for a host only where the text says so, since most words are none:

- the authority of a URL whose scheme speaks to a server (``http://user-service:8080/x``, ``jdbc:postgresql://db/x``,
  ``mongodb://a:27017,b:27017``); ``s3://bucket`` and ``file:///x`` name no host;
- a name that ends in ``.svc`` or ``.svc.<cluster domain>``, anywhere;
- the value of a variable, setting, flag or key whose name says so (``DB_HOST``, ``--redis-addr``, ``server.host``,
  ``PGHOST``): its last word is host, addr, address, service or (not alone) hostname, or a plural of these; or, where
  the value has a port, endpoint, url, uri or dsn;
- ``name:port`` as a whole value or argument, where the port is one that servers commonly have;
- ``host=… port=…`` in a PostgreSQL connection string, and the host of commands that wait for or call a server
  (``nc -z db 5432``, ``pg_isready -h db``, ``redis-cli -h …``, ``nslookup db``);
- in a configuration of nginx the servers of an ``upstream`` and the targets of ``proxy_pass`` and its kin; in one of
  HAProxy the servers; in one of Redis ``replicaof`` and ``sentinel monitor``.

Any other ``name:port`` is returned as not ``sure``: it is a host only if a Service has that name, or nearly. Values of
names that speak of the program's own side or of people's (listen, bind, allowed, public, image …) are left alone, and
so are comments, addresses, localhost, and words that are nothing but a variable.

A variable (``${X}``, ``$(X)``, ``$x``, ``{{ x }}``, ``{x}``, ``%X%``) stands for an unknown part of a name.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from policy.manifests.scheme_ports import COMMON_PORTS, DEFAULT_PORTS, NO_DEFAULT
from policy.patterns import Pattern

HOLE = "*"
"""In a label, what a variable stands for."""

_VAR = r"(?:\$\{[^}\s]*\}|\$\([^)\s]*\)|\{\{[^}]*\}\}|\$\w+|\{\w*\}|%\w+%)"
_HOST = rf"(?:{_VAR}|\w)(?:{_VAR}|[\w.-])*"
_PORT = rf"{_VAR}|\d{{1,5}}"
_VARIABLE = Pattern(_VAR)
_URL = Pattern(rf"([A-Za-z][A-Za-z0-9+.-]*)://((?:{_VAR}|(?!,[A-Za-z][\w+.-]*://)[^\s/?#\"'<>|`;\\()\[\]])*)")
_AUTHORITY = Pattern(rf"({_HOST})(?::({_PORT}))?")
_DNS_TARGET = Pattern(rf"dns://[^/\s]*/({_HOST})(?::({_PORT}))?")
_QUALIFIED = Pattern(rf"(?<![\w.*/@%$}})-])({_HOST}\.svc(?:\.(?:{_VAR}|[\w.-])*)?)(?::({_PORT}))?(?![\w(-]|\.\w)")
_PAIR = Pattern(rf"({_HOST}):({_PORT})(/[\w.-]*)?")
_LOOSE_PAIR = Pattern(r"(?<![\w.:/@$}-])([a-z][a-z0-9-]*[a-z0-9](?:\.[a-z0-9-]+)*):(\d{2,5})(?![\w.:-])")
_LIBPQ = Pattern(rf"\bhost=({_HOST})(?=[^\n]*\b(?:dbname|user|port)=)(?:[^\n]*?\bport=({_PORT}))?")
_SETTING = Pattern(r"\s*(?:-\s+)?[\"']?([A-Za-z][\w.-]*)[\"']?\s*[:=]\s*[\"']?([^\"'\s,]+)[\"']?\s*,?\s*")
_FLAG = Pattern(r"-{0,2}([A-Za-z][\w.-]*)=(.*)", re.DOTALL)
_COMMANDS: tuple[tuple[tuple[str, ...], Pattern], ...] = (
    (
        ("nc", "netcat", "telnet"),
        Pattern(rf"\b(?:nc|ncat|netcat|telnet)(?:\s+-\w+(?:\s+\d+)?)*\s+({_HOST})\s+({_PORT})"),
    ),
    (
        ("-h",),
        Pattern(
            r"\b(?:pg_isready|psql|pg_dump|pg_restore|redis-cli|mysql|mysqladmin|mongosh|mongo)\b[^|;&\n]*?"
            rf"\s(?:-h|--host)[\s=]+[\"']?({_HOST})(?:[^|;&\n]*?\s(?:-[pP]|--port)[\s=]+[\"']?({_PORT}))?"
        ),
    ),
    (("nslookup", "getent"), Pattern(rf"\b(?:nslookup|getent\s+hosts)\s+({_HOST})()")),
    (("replicaof", "slaveof"), Pattern(rf"--(?:replicaof|slaveof)\s+({_HOST})\s+({_PORT})")),
)
"""Commands that name a host, each with what no text is without that holds it; most texts hold nothing of it."""
_NGINX = Pattern(r"\b(?:proxy|grpc|fastcgi|uwsgi|scgi|memcached)_pass\s|\bupstream\s+\S+\s*\{")
_NGINX_UPSTREAM = Pattern(rf"\bupstream\s+(\S+)\s*\{{((?:{_VAR}|[^}}])*)\}}")
_NGINX_SERVER = Pattern(rf"\bserver\s+({_HOST})(?::({_PORT}))?(?=[\s;])")
_NGINX_PASS = Pattern(rf"\b(proxy|grpc|fastcgi|uwsgi|scgi|memcached)_pass\s+({_HOST})(?::({_PORT}))?\s*;")
_FILE_FORMS = (
    Pattern(rf"^\s*server\s+\S+\s+({_HOST}):({_PORT})(?=\s|$)", re.MULTILINE),  # HAProxy
    Pattern(rf"^\s*(?:replicaof|slaveof)\s+({_HOST})\s+({_PORT})", re.MULTILINE),
    Pattern(rf"^\s*sentinel\s+monitor\s+\S+\s+({_HOST})\s+({_PORT})", re.MULTILINE),
)
_REMEMBERED = 4_000
_COMMENT = Pattern(r"^[ \t]*(?:#|//|;|--\s|<!--).*$|(?<=[ \t])#\s.*$", re.MULTILINE)

_HOST_WORDS = frozenset({"host", "addr", "address"})
_LOCATOR_WORDS = frozenset({"endpoint", "url", "uri", "dsn"})
_OWN_SIDE = frozenset(
    {"listen", "listener", "bind", "allow", "allowed", "virtual", "public", "external", "advertise", "advertised"}
    | {"trusted", "cors", "origin", "origins", "cookie", "image", "registry", "email", "mac", "ip", "redirect"}
    | {"callback", "no"}
)
_OWN_SERVICE_NAME = frozenset({"dd", "otel", "apm", "elastic"})
"""``DD_SERVICE`` and its like are how a program calls itself in traces."""
_NOT_A_HOST = frozenset(
    {"localhost", "true", "false", "none", "null", "yes", "no", "on", "off", "auto", "default", "enabled", "disabled"}
    | {"host", "hostname", "any", "all", "self", "unix", "ip6-localhost", "nil"}
)
_MARK = Pattern(r"://|\.svc|host=|:[\d$%{]")
"""What every value has that holds a host, unless its name says so."""
_WORDS = (
    *("host", "addr", "service", "endpoint", "url", "uri", "dsn", "_pass", "upstream", "replicaof", "slaveof"),
    *("monitor", "telnet", "nslookup", "getent", "netcat", "nc ", " -h "),
)
_KEYWORD = Pattern("|".join([r":[\d$%{]", *map(re.escape, _WORDS)]), re.IGNORECASE)
"""What every line of a file has that holds a host."""
_DOCUMENTS = (".md", ".txt", ".html", ".htm", ".css", ".svg", ".pem", ".crt", ".key", ".sql")
_SCRIPTS = (".py", ".js", ".mjs", ".ts", ".rb", ".pl", ".lua", ".go", ".java", ".sh", ".bash", ".php", ".groovy")


class _About(enum.Enum):
    """What the name of a value says about it."""

    HOST = "it is a host"
    LOCATOR = "it is a host where it has a port"
    OWN_SIDE = "it is about the program itself, or about people"
    NOTHING = "nothing"


class Host(msgspec.Struct, frozen=True):
    """A host that a text names."""

    text: str
    """As written, with its port."""
    labels: tuple[str, ...]
    """Its DNS labels; ``HOLE`` stands for what a variable holds."""
    port: int | None = None
    sure: bool = True
    line: int = 1
    """The line of the text, from 1."""
    implied_by: str = ""
    """What implies the port, where it is not written: the scheme, or ``nginx``."""


@lru_cache(maxsize=_REMEMBERED)
def hosts_in_value(name: str, value: str) -> Sequence[Host]:
    """The hosts in the value of an environment variable, a setting or a flag with that name."""
    return tuple(_in_value(name, value))


def _in_value(name: str, value: str) -> Iterator[Host]:
    if "\n" in value.rstrip() or len(value) > 2000:
        yield from hosts_in_file(name, value)
        return
    about = _about(name)
    is_host, is_locator = about is _About.HOST, about is _About.LOCATOR
    if not is_host and not is_locator and not _MARK.search(value):
        return
    if about is _About.OWN_SIDE:
        yield from _qualified(value)
        return
    found = list(_everywhere(value))
    yield from found
    if found:
        return
    for piece in re.split(r"[,;\s]+", value.strip()):
        pair = _PAIR.fullmatch(piece)
        host = None
        if pair and (is_host or is_locator or not pair[3] or pair[3][1:].isdigit()):
            is_common = pair[2].isdigit() and int(pair[2]) in COMMON_PORTS
            host = _host(pair[1], pair[2], sure=is_host or is_locator or is_common)
        elif (is_host or is_locator) and re.fullmatch(_HOST, piece):
            host = _host(piece, None, sure=is_host)
        if host:
            yield host


@lru_cache(maxsize=_REMEMBERED)
def hosts_in_arguments(arguments: tuple[str, ...]) -> Sequence[tuple[int, Host]]:
    """The hosts in a command with its arguments, each with the index of its argument."""
    return tuple(_in_arguments(arguments))


def _in_arguments(arguments: Sequence[str]) -> Iterator[tuple[int, Host]]:
    program = arguments[0].rpartition("/")[2] if arguments else ""
    if program in ("chown", "chmod", "chgrp", "install"):
        return
    expected = ""
    for index, argument in enumerate(arguments):
        flag = None if "://" in argument.partition("=")[0] else _FLAG.fullmatch(argument)
        if "\n" in argument or " " in argument.strip():
            yield from ((index, host) for host in _in_script(argument))
        elif flag:
            yield from ((index, host) for host in hosts_in_value(flag[1], flag[2]))
        else:
            yield from ((index, host) for host in hosts_in_value(expected, argument))
        expected = argument.lstrip("-") if re.fullmatch(r"--?[A-Za-z][\w.-]+", argument) else ""
    if not any(" " in argument for argument in arguments):
        for host in _commands(" ".join(arguments)):
            written = host.text.partition(" ")[0]
            if written in arguments:
                yield arguments.index(written), host


@lru_cache(maxsize=_REMEMBERED)
def hosts_in_file(name: str, text: str) -> Sequence[Host]:
    """The hosts in a file of that name, e.g. one value of a ConfigMap; each once a line."""
    found = dict.fromkeys(_in_file(name, text))
    sure = {(host.line, host.text) for host in found if host.sure}
    return tuple(host for host in found if host.sure or (host.line, host.text) not in sure)


def _in_file(name: str, text: str) -> Iterator[Host]:
    if not _may_name_a_host(text):
        return
    lowered = name.lower().removesuffix(".template").removesuffix(".tmpl")
    bare = _COMMENT.sub("", text)
    if lowered.endswith(_DOCUMENTS):
        yield from _qualified(bare)
    elif lowered.endswith(_SCRIPTS) or text.startswith("#!"):
        yield from _in_script(bare)
    elif _NGINX.search(bare):
        yield from _in_nginx(bare)
    else:
        yield from _in_configuration(bare)


def substituted(text: str, variables: Mapping[str, str]) -> str:
    """The text with the variables ``$(X)`` that are known filled in, as the kubelet does."""
    return re.sub(r"\$\(([\w.-]+)\)", lambda match: variables.get(match[1], match[0]), text) if "$(" in text else text


def port_name(name: str) -> str | None:
    """The name of the variable that holds the port for one that holds a host: ``DB_HOST``, ``DB_PORT``."""
    match = re.fullmatch(r"(.*?)(host_?name|host|address|addr)", name, re.IGNORECASE)
    if match is None:
        return None
    return match[1] + ("PORT" if match[2].isupper() else "Port" if match[2][0].isupper() else "port")


def _may_name_a_host(text: str) -> bool:
    """A quick look that spares most texts the long one."""
    lowered = text.lower()
    return any(word in lowered for word in _WORDS) or _MARK.search(text) is not None


def _in_nginx(text: str) -> Iterator[Host]:
    upstreams = {match[1] for match in _NGINX_UPSTREAM.finditer(text)}
    for block in _NGINX_UPSTREAM.finditer(text):
        for match in _NGINX_SERVER.finditer(block[2]):
            host = _host(match[1], match[2], sure=True, implied=(80, "nginx"))
            yield from _at(host, text, block.start(2) + match.start())
    for match in _NGINX_PASS.finditer(text):
        port = {"memcached": 11211, "fastcgi": None}.get(match[1], 80)
        if match[2] not in upstreams:
            yield from _at(_host(match[2], match[3], sure=True, implied=(port, "nginx")), text, match.start())
    for host in _everywhere(text):
        if host.labels[0] not in upstreams or len(host.labels) > 1:
            yield host


def _in_configuration(text: str) -> Iterator[Host]:
    yield from _everywhere(text)
    for form in _FILE_FORMS:
        for match in form.finditer(text):
            yield from _at(_host(match[1], match[2], sure=True), text, match.start())
    end = number = 0
    for match in _KEYWORD.finditer(text):
        if match.start() < end:
            continue
        start = text.rfind("\n", 0, match.start()) + 1
        number += text.count("\n", end, start)
        end = text.find("\n", start) if "\n" in text[start:] else len(text)
        setting = _SETTING.fullmatch(text, start, end)
        found = hosts_in_value(setting[1], setting[2]) if setting else _loose(text[start:end])
        yield from (replace(host, line=number + 1) for host in found)


def _in_script(text: str) -> Iterator[Host]:
    yield from _everywhere(text)
    yield from _commands(text)
    yield from _loose(text)


def _everywhere(text: str) -> Iterator[Host]:
    """What is a host wherever it stands: in a URL, in a connection string, or by its ending."""
    if "://" in text:
        yield from _urls(text)
    if "host=" in text:
        for match in _LIBPQ.finditer(text):
            yield from _at(_host(match[1], match[2], sure=True, implied=(5432, "PostgreSQL")), text, match.start())
    yield from _qualified(text)


def _urls(text: str) -> Iterator[Host]:
    for match in _DNS_TARGET.finditer(text):
        yield from _at(_host(match[1], match[2], sure=True), text, match.start())
    for match in _URL.finditer(text):
        scheme = match[1].lower()
        base = scheme.partition("+")[0]
        if base not in DEFAULT_PORTS:
            continue
        implied = None if scheme in NO_DEFAULT else DEFAULT_PORTS[base]
        for piece in match[2].rpartition("@")[2].split(","):
            authority = _AUTHORITY.fullmatch(piece)
            if authority:
                host = _host(authority[1], authority[2], sure=True, implied=(implied, scheme))
                yield from _at(host, text, match.start())


def _qualified(text: str) -> Iterator[Host]:
    if ".svc" in text:
        for match in _QUALIFIED.finditer(text):
            yield from _at(_host(match[1], match[2], sure=True), text, match.start())


def _commands(text: str) -> Iterator[Host]:
    for words, command in _COMMANDS:
        for match in command.finditer(text) if any(word in text for word in words) else ():
            host = _host(match[1], match[2] or None, sure=True)
            if host:
                yield from _at(
                    replace(host, text=" ".join(part for part in match.groups() if part)), text, match.start()
                )


def _loose(text: str) -> Iterator[Host]:
    for match in _LOOSE_PAIR.finditer(text):
        yield from _at(_host(match[1], match[2], sure=False), text, match.start())


def _host(name: str, port: str | None, *, sure: bool, implied: tuple[int | None, str] = (None, "")) -> Host | None:
    """The host, unless it is an address, this machine, or nothing but variables."""
    pattern = _VARIABLE.sub(HOLE, name).rstrip(".")
    labels = tuple(pattern.split("."))
    if not pattern or "" in labels or pattern in _NOT_A_HOST or labels[-1] == "localhost":
        return None
    known = pattern.replace(HOLE, "").replace(".", "")
    if not known.strip("-_") or known.isdigit() or pattern.startswith("_"):
        return None
    if "svc" in labels:
        labels = tuple(label.lower() for label in labels)
    elif pattern != pattern.lower():
        return None
    number = int(port) if port and port.isdigit() else None
    text = f"{name}:{port}" if port else name
    if port is None and implied[0] is not None:
        return Host(text, labels, implied[0], sure, implied_by=implied[1])
    return Host(text, labels, number, sure)


def _at(host: Host | None, text: str, position: int) -> Iterator[Host]:
    if host:
        yield replace(host, line=text.count("\n", 0, position) + 1)


def _words(name: str) -> list[str]:
    """``DB_HOST``, ``db-host``, ``db.host`` and ``dbHost`` as their words, in lower case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.split(r"[\s_.-]+", spaced) if word]


@lru_cache(maxsize=4096)
def _about(name: str) -> _About:
    words = _words(name)
    if not words:
        return _About.NOTHING
    if _OWN_SIDE.intersection(words):
        return _About.OWN_SIDE
    last = _singular(words[-1])
    if last in _LOCATOR_WORDS:
        return _About.LOCATOR
    if last == "service":
        is_host = len(words) > 1 and words[0] not in _OWN_SERVICE_NAME
    elif last == "hostname":
        is_host = len(words) > 1
    else:
        is_host = last in _HOST_WORDS or (last.endswith("host") and last != "localhost")
    return _About.HOST if is_host else _About.NOTHING


def _singular(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    return word if word.endswith("ss") else word.removesuffix("s")
