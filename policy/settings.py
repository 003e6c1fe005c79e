"""policy.toml: what a repository sets, decoded and validated once, errors with their line.

Every table is optional; without a file the defaults hold. The format:

```toml
[kubernetes]            # the clusters that must accept the manifests
oldest = "1.34"
newest = "1.37"

[environments]          # name = folder of its kustomization
prod = "overlays/prod"

[argocd]                # Argo CD's own objects: projects, applications, settings
path = "argocd"

[topology]              # who may talk to whom; without an entry topology.yaml beside this file, where there is one
path = "topology.yaml"

[tools]                 # exact versions; without an entry any version will do
kustomize = "5.8.3"

[schemas]
crds = ["crds/"]        # files or folders of CustomResourceDefinitions

[rules.limits-set]      # enabled, severity, and the rule's own settings
cpu = true
[rules.replicas-enough.environments.prod]
severity = "error"

[[exception]]           # a finding that is accepted for a while
rule = "read-only-root"
object = "Deployment/legacy"
reason = "writes its cache beside its code until 3.0"
owner = "team-shop"
expires = 2027-03-31
```
"""

from __future__ import annotations

import datetime
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from policy.errors import SettingsError
from policy.findings import Place, Severity
from policy.mistyped import in_words
from policy.patterns import Pattern
from policy.rules.rule import Options, Rule
from policy.yaml_faults import merge_conflict

FILE_NAME = "policy.toml"
TOPOLOGY_NAME = "topology.yaml"
ARGOCD = "argocd"
"""The name of the overlay that holds Argo CD's own objects."""
DEFAULT_OLDEST, DEFAULT_NEWEST = "1.34", "1.37"

_TABLES = frozenset({"kubernetes", "environments", "argocd", "topology", "tools", "schemas", "rules", "exception"})
_TOOLS = frozenset({"kustomize", "kubeconform", "argocd"})
_COMMON = frozenset({"enabled", "severity", "environments"})
_HAS = "it has rule, object, reason, owner and expires, and may have container and environments"
_MINOR = Pattern(r"1\.\d+")


class RuleSettings(msgspec.Struct, frozen=True):
    """How one rule runs in one environment."""

    enabled: bool
    severity: Severity
    options: Options


class AcceptedFinding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An ``[[exception]]``: findings of one rule about one object (or container) that are accepted until a day."""

    rule: str
    object: str
    reason: str
    owner: str
    expires: datetime.date
    container: str | None = None
    environments: tuple[str, ...] = ()


class PolicyException(msgspec.Struct, frozen=True):
    """An accepted finding and the line of policy.toml that accepts it."""

    accepted: AcceptedFinding
    file: str
    line: int


class Settings(msgspec.Struct, frozen=True, dict=True):
    """Everything that policy.toml says, validated; paths are relative to ``root``, its folder.

    ``repository`` is what the places of findings are relative to: the Git repository, where there is one.
    """

    root: Path
    repository: Path
    file: Path | None = None
    kubernetes: tuple[str, ...] = (DEFAULT_OLDEST, DEFAULT_NEWEST)
    environments: Mapping[str, Path] = msgspec.field(default_factory=dict)
    argocd: Path | None = None
    topology: Path | None = None
    tools: Mapping[str, str] = msgspec.field(default_factory=dict)
    crds: tuple[Path, ...] = ()
    exceptions: tuple[PolicyException, ...] = ()
    _rules: Mapping[str, Mapping[str, Any]] = msgspec.field(default_factory=dict)

    def rule(self, rule: Rule, environment: str) -> RuleSettings:
        """The settings of a rule in an environment: its own, overridden by those for the environment."""
        stated = self._rules.get(rule.id)
        if not stated:
            return RuleSettings(rule.enabled, rule.severity, rule.options())
        table = dict(stated)
        table.update(table.pop("environments", {}).get(environment, {}))
        return RuleSettings(
            enabled=table.pop("enabled", rule.enabled),
            severity=Severity(table.pop("severity", rule.severity.value)),
            options=msgspec.convert(table, rule.options),
        )

    @property
    def topology_file(self) -> Path | None:
        """The topology.yaml: the one that is named, else the one beside policy.toml, where there is one."""
        if self.topology is not None:
            return self.root / self.topology
        file = self.root / TOPOLOGY_NAME
        return file if file.is_file() else None

    def place_of(self, header: str, key: str) -> Place | None:
        """The line of policy.toml that states a key, else the header of its table; None without a policy.toml."""
        if self.file is None:
            return None
        text = self.file.read_text(encoding="utf-8")
        file = self.file.relative_to(self.repository) if self.file.is_relative_to(self.repository) else self.file
        return Place(str(file), _Reader(self.file, text, {}, {}).line_of(header, key) or 1)


def find_settings_file(start: Path) -> Path | None:
    """The nearest policy.toml in the folder or above it."""
    for folder in (start, *start.parents):
        file = folder / FILE_NAME
        if file.is_file():
            return file
    return None


def repository_of(folder: Path) -> Path | None:
    """The Git repository (or work tree) that a folder is in."""
    return next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), None)


def load_settings(file: Path, rules: Iterable[Rule]) -> Settings:
    """Reads policy.toml.

    Raises:
        SettingsError: it cannot be read, is no TOML, or says something unknown: a table, a key, a rule, an environment.
    """
    try:
        text = file.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", file=file) from error
    except UnicodeDecodeError as error:
        raise SettingsError("is not UTF-8", file=file) from error
    except RecursionError as error:
        raise SettingsError("nests deeper than can be read", file=file, line=_deepest(text)) from error
    except tomllib.TOMLDecodeError as error:
        conflict = merge_conflict(text)
        if conflict:
            raise SettingsError(conflict[0], file=file, line=conflict[1] + 1) from error
        line = re.search(r"at line (\d+)", str(error))
        message = re.sub(r" \(at .*\)$", "", str(error))
        raise SettingsError(f"not valid TOML: {message}", file=file, line=int(line[1]) if line else None) from error
    return _Reader(file, text, document, {rule.id: rule for rule in rules}).settings()


def _deepest(text: str) -> int:
    """The line (1-based) that nests deepest; brackets in strings count too, which matters to no sane file."""
    depth, deepest, found = 0, 0, 1
    for number, line in enumerate(text.splitlines(), 1):
        for character in line:
            depth += (character in "[{") - (character in "]}")
            if depth > deepest:
                deepest, found = depth, number
    return found


class _Reader:
    def __init__(self, file: Path, text: str, document: dict[str, Any], rules: Mapping[str, Rule]) -> None:
        self._file, self._lines, self._document, self._rules = file, text.splitlines(), document, rules

    def settings(self) -> Settings:
        self._known(self._document, _TABLES, "", "table")
        for name in _TABLES - {"exception"}:
            self._table(name)
        tools = self._strings("tools")
        self._known(tools, _TOOLS, "tools", "tool")
        environments = {name: Path(path) for name, path in self._strings("environments").items()}
        for name, path in environments.items():
            if not os.path.isdir(self._file.parent / path):
                raise self._error(f"environment {name}: there is no folder {path}", "environments", name)
        return Settings(
            root=self._file.parent,
            repository=repository_of(self._file.parent) or self._file.parent,
            file=self._file,
            kubernetes=self._kubernetes(),
            environments=environments,
            argocd=self._argocd(environments),
            topology=self._topology(),
            tools=tools,
            crds=self._crds(),
            exceptions=self._exceptions(environments),
            _rules=self._rule_tables(environments),
        )

    def _argocd(self, environments: Mapping[str, Path]) -> Path | None:
        table = self._strings("argocd")
        self._known(table, {"path"}, "argocd", "key")
        if "path" not in table:
            return None
        if not os.path.isdir(self._file.parent / table["path"]):
            raise self._error(f"there is no folder {table['path']}", "argocd", "path")
        if ARGOCD in environments:
            raise self._error(
                f"an environment cannot be named {ARGOCD} beside the table [argocd]", "environments", ARGOCD
            )
        return Path(table["path"])

    def _topology(self) -> Path | None:
        table = self._strings("topology")
        self._known(table, {"path"}, "topology", "key")
        if "path" not in table:
            return None
        if not os.path.isfile(self._file.parent / table["path"]):
            raise self._error(f"there is no file {table['path']}", "topology", "path")
        return Path(table["path"])

    def _kubernetes(self) -> tuple[str, ...]:
        table = self._strings("kubernetes")
        self._known(table, {"oldest", "newest"}, "kubernetes", "key")
        for key, version in table.items():
            if not _MINOR.fullmatch(version):
                raise self._error(f'{key} = "{version}" is no minor version such as "1.34"', "kubernetes", key)
        oldest, newest = table.get("oldest", DEFAULT_OLDEST), table.get("newest", DEFAULT_NEWEST)
        if int(oldest[2:]) > int(newest[2:]):
            raise self._error(f"oldest ({oldest}) is newer than newest ({newest})", "kubernetes", "oldest")
        return (oldest,) if oldest == newest else (oldest, newest)

    def _crds(self) -> tuple[Path, ...]:
        table = self._table("schemas")
        self._known(table, {"crds"}, "schemas", "key")
        paths = table.get("crds", [])
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise self._error("crds must be a list of paths", "schemas", "crds")
        return tuple(Path(path) for path in paths)

    def _rule_tables(self, environments: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
        tables = self._table("rules")
        for rule_id, table in tables.items():
            rule = self._rules.get(rule_id)
            header = f"rules.{rule_id}"
            if rule is None:
                raise self._error(f"there is no rule {rule_id}{_nearest(rule_id, self._rules)}", header)
            if not isinstance(table, dict):
                raise self._error(f"{rule_id} must be a table, [rules.{rule_id}]", "rules", rule_id)
            self._rule_table(rule, table, header)
            overrides = table.get("environments", {})
            if not isinstance(overrides, dict):
                raise self._error(f"environments must be tables, [{header}.environments.NAME]", header, "environments")
            for name, override in overrides.items():
                if name not in environments:
                    raise self._error(f"there is no environment {name}", f"{header}.environments.{name}")
                if not isinstance(override, dict):
                    raise self._error(
                        f"{name} must be a table, [{header}.environments.{name}]", f"{header}.environments", name
                    )
                self._rule_table(rule, {**table, **override, "environments": {}}, f"{header}.environments.{name}")
        return tables

    def _rule_table(self, rule: Rule, table: dict[str, Any], header: str) -> None:
        if not isinstance(table.get("enabled", True), bool):
            raise self._error("enabled must be true or false", header, "enabled")
        severity = table.get("severity", "error")
        if severity not in [item.value for item in Severity]:  # a list: what is stated need not be hashable
            raise self._error(f'severity must be "error" or "warning", not {severity!r}', header, "severity")
        try:
            msgspec.convert({key: value for key, value in table.items() if key not in _COMMON}, rule.options)
        except msgspec.ValidationError as error:
            key = re.search(r"field `([\w-]+)`", str(error)) or re.search(r"`\$\.([\w-]+)", str(error))
            stated = key[1] if key else ""
            near = _nearest(stated, (each.encode_name for each in msgspec.structs.fields(rule.options)))
            raise self._error(f"{rule.id}: {in_words(str(error))}{near}", header, stated or None) from error

    def _exceptions(self, environments: Mapping[str, Path]) -> tuple[PolicyException, ...]:
        entries = self._document.get("exception", [])
        if not isinstance(entries, list):
            raise self._error("an exception is written [[exception]]", "exception")
        return tuple(self._exception(number, entry, environments) for number, entry in enumerate(entries))

    def _exception(self, number: int, entry: Any, environments: Mapping[str, Path]) -> PolicyException:
        line = self.line_of("[exception]", None, occurrence=number)
        try:
            accepted = msgspec.convert(entry, AcceptedFinding)
        except msgspec.ValidationError as error:
            message = f"exception: {in_words(str(error))}; {_HAS}"
            raise SettingsError(message, file=self._file, line=line) from error
        rule = self._rules.get(accepted.rule)
        problem = None
        if rule is None:
            problem = f"there is no rule {accepted.rule}{_nearest(accepted.rule, self._rules)}"
        elif not rule.exceptable:
            problem = f"{rule.id} allows no exception"
        elif not accepted.reason.strip() or not accepted.owner.strip():
            problem = "an exception needs a reason and an owner"
        for name in accepted.environments:
            if name not in environments:
                problem = f"there is no environment {name}{_nearest(name, environments)}"
        if problem:
            raise SettingsError(f"exception: {problem}", file=self._file, line=line)
        repository = repository_of(self._file.parent) or self._file.parent
        return PolicyException(accepted, str(self._file.relative_to(repository)), line or 1)

    def _table(self, name: str) -> dict[str, Any]:
        table = self._document.get(name, {})
        if not isinstance(table, dict):
            raise self._error(f"{name} must be a table", name)
        return table

    def _strings(self, name: str) -> dict[str, str]:
        table = self._table(name)
        for key, value in table.items():
            if not isinstance(value, str):
                raise self._error(f"{key} must be a string", name, key)
        return table

    def _known(self, table: Iterable[str], known: Iterable[str], header: str, what: str) -> None:
        for key in table:
            if key not in set(known):
                where = (header, key) if header else (key, None)
                raise self._error(f"unknown {what} {key}{_nearest(key, known)}", *where)

    def _error(self, message: str, header: str, key: str | None = None) -> SettingsError:
        return SettingsError(message, file=self._file, line=self.line_of(header, key))

    def line_of(self, header: str, key: str | None, occurrence: int = 0) -> int | None:
        """The line (1-based) of a key below a ``[header]``, or of the header; tomllib keeps none.

        The header of an array of tables is given as ``[name]``, with the number of its entry.
        """
        current, seen, found = "", 0, None
        for number, line in enumerate(self._lines, 1):
            bare = line.split("#")[0].strip()
            if bare.startswith("["):
                current = bare[1:-1].replace('"', "").replace(" ", "")
                if current == header:
                    found = found or number
                    if key is None and seen == occurrence:
                        return number
                    seen += 1
                continue
            name = bare.partition("=")[0].strip().strip('"')
            if name and (name == key if current == header else key is None and not current and name == header):
                return number
        return found


def _nearest(word: str, known: Iterable[str]) -> str:
    import difflib  # only errors need it

    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
