"""The parameters that the generators of an ApplicationSet give: list, git directories and the matrix of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from policy.argocd.repositories import normalized_path
from policy.argocd.template import NotUnderstood, Parameters, TemplateError, flat, normalized, render
from policy.findings import FieldPath

MAX_PRODUCTS = 5000
"""More than anybody deploys by one matrix; a few lines could ask for millions."""

EntriesOf = Callable[[str], tuple[str, ...] | None]
"""What a folder of the repository holds, folders with a slash behind their names; None where there is none."""


class Made(msgspec.Struct, frozen=True):
    """The parameters of one Application, and the element of the generator that gives them."""

    parameters: Parameters
    element: FieldPath


class Reader(msgspec.Struct, frozen=True):
    """How the generators of one ApplicationSet are read.

    ``is_own`` says of a URL whether it is this repository; only its folders are known.
    """

    entries_of: EntriesOf
    is_own: Callable[[str], bool]
    is_go: bool
    is_strict: bool

    def made_by(self, generator: Mapping[str, Any], path: FieldPath, given: Parameters | None = None) -> Iterator[Made]:
        """What one generator gives; ``given`` are the parameters of the one before it in a matrix.

        Raises NotUnderstood where it asks for more than this repository, and TemplateError.
        """
        kinds = [key for key in generator if key not in ("selector", "template")]
        if len(kinds) != 1 or generator.get("selector") or generator.get("template"):
            raise NotUnderstood("a generator with a selector or a template of its own")
        kind = kinds[0]
        body = generator[kind]
        body = body if isinstance(body, Mapping) else {}
        if given is not None:
            body = render(dict(body), given, is_go=self.is_go, is_strict=self.is_strict)
        if kind == "list" and isinstance(body.get("elements"), list):
            yield from self._elements(body["elements"], (*path, kind, "elements"))
        elif kind == "git" and isinstance(body.get("directories"), list):
            yield from self._folders(body, (*path, kind, "directories"))
        elif kind == "matrix" and isinstance(body.get("generators"), list) and len(body["generators"]) == 2:
            yield from self._products(body["generators"], (*path, kind, "generators"))
        else:
            raise NotUnderstood(f"a generator {kind} that asks for more than this repository")

    def _elements(self, elements: list[Any], path: FieldPath) -> Iterator[Made]:
        for number, element in enumerate(elements):
            if isinstance(element, Mapping):
                yield Made(element, (*path, number))

    def _products(self, generators: list[Any], path: FieldPath) -> Iterator[Made]:
        first, second = generators
        count = 0
        for one in self.made_by(first, (*path, 0)):
            for other in self.made_by(second, (*path, 1), one.parameters):
                count += 1
                if count > MAX_PRODUCTS:
                    raise NotUnderstood(f"a matrix of more than {MAX_PRODUCTS}")
                united = _united(one.parameters, other.parameters) if self.is_go else _combined(one, other)
                yield Made(united, other.element)

    def _folders(self, body: Mapping[str, Any], path: FieldPath) -> Iterator[Made]:
        """Folders that a pattern selects and none excludes; ``*`` does not cross a slash, as in Go's path.Match."""
        if not self.is_own(str(body.get("repoURL", ""))):
            raise NotUnderstood(f"a generator of the folders of {body.get('repoURL')}")
        rules = [item for item in body["directories"] if isinstance(item, Mapping)]
        excluded = [str(item.get("path", "")) for item in rules if item.get("exclude")]
        seen: set[str] = set()
        for number, item in enumerate(body["directories"]):
            if not isinstance(item, Mapping) or item.get("exclude"):
                continue
            for folder in self._matching(normalized_path(str(item.get("path", "")))):
                if folder not in seen and not any(_matches(folder, pattern) for pattern in excluded):
                    seen.add(folder)
                    yield Made(self._parameters_of(folder, body), (*path, number))

    def _matching(self, pattern: str) -> list[str]:
        found = [""]
        for step in pattern.split("/"):
            found = [
                f"{folder}/{name}".lstrip("/")
                for folder in found
                for name in self._folders_in(folder)
                if fnmatchcase(name, step)
            ]
        return sorted(found)

    def _folders_in(self, folder: str) -> Iterator[str]:
        for entry in self.entries_of(folder) or ():
            if entry.endswith("/") and not entry.startswith("."):
                yield entry.rstrip("/")

    def _parameters_of(self, folder: str, body: Mapping[str, Any]) -> Parameters:
        name = folder.rpartition("/")[2]
        prefix = body.get("pathParamPrefix")
        parameters: dict[str, Any] = {}
        if self.is_go:
            about: dict[str, Any] = {
                "path": folder,
                "basename": name,
                "basenameNormalized": normalized(name),
                "segments": folder.split("/"),
            }
            parameters = {str(prefix): {"path": about}} if prefix else {"path": about}
        else:
            base = f"{prefix}.path" if prefix else "path"
            parameters = {base: folder, f"{base}.basename": name, f"{base}.basenameNormalized": normalized(name)}
            parameters.update({f"{base}[{number}]": step for number, step in enumerate(folder.split("/"))})
        values = body.get("values")
        if isinstance(values, Mapping):
            filled = render(dict(values), parameters, is_go=self.is_go, is_strict=self.is_strict)
            parameters.update(
                {"values": filled} if self.is_go else {f"values.{key}": each for key, each in filled.items()}
            )
        return parameters


def _united(first: Parameters, second: Parameters) -> Parameters:
    """Both, also inside of mappings; where they differ the first counts."""
    result = {**second, **first}
    for key, value in first.items():
        other = second.get(key)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            result[key] = _united(value, other)
    return result


def _combined(one: Made, other: Made) -> Parameters:
    """Both as the older templates name them, which may not differ."""
    first, second = flat(one.parameters), flat(other.parameters)
    for key in first.keys() & second.keys():
        if first[key] != second[key]:
            raise TemplateError(f"both generators of a matrix give {key}: {first[key]} and {second[key]}")
    return {**first, **second}


def _matches(folder: str, pattern: str) -> bool:
    steps, wanted = folder.split("/"), normalized_path(pattern).split("/")
    return len(steps) == len(wanted) and all(map(fnmatchcase, steps, wanted))
