"""The Applications that the overlays hold, made out of ApplicationSets too, and joined to the overlays they deploy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from policy.argocd.objects import GROUP, Application, ApplicationSpec, Project, ProjectSpec, Source
from policy.argocd.repositories import normalized_path, normalized_url
from policy.argocd.template import NotUnderstood, TemplateError, render, unfilled
from policy.findings import Field
from policy.manifests.decode import NotDecodable, convert
from policy.manifests.index import Index
from policy.manifests.resources import Resource

if TYPE_CHECKING:
    from policy.argocd.generators import EntriesOf, Made, Reader


class Problem(msgspec.Struct, frozen=True):
    """Why an ApplicationSet makes nothing, or not what it should: in which overlay, where, and what to do."""

    overlay: str
    at: Field
    message: str
    fix: str
    related: tuple[Field, ...] = ()


class Unknown(msgspec.Struct, frozen=True):
    """An object of Argo CD that cannot be judged, and why."""

    overlay: str
    at: Field
    reason: str


class Deployments(msgspec.Struct, frozen=True, dict=True):
    """What Argo CD would deploy.

    ``own`` is this repository by its normalized URL, None where that is not known; ``folders`` are the overlays' own.
    """

    applications: tuple[Application, ...]
    projects: tuple[Project, ...]
    problems: tuple[Problem, ...]
    unknown: tuple[Unknown, ...]
    own: str | None
    folders: Mapping[str, str]
    entries_of: EntriesOf

    @property
    def stated(self) -> Iterator[Application]:
        """One Application for each place where one is stated: of those that an ApplicationSet makes, the first."""
        seen: set[tuple[str, int]] = set()
        for application in self.applications:
            key = (application.overlay, id(application.resource))
            if key not in seen:
                seen.add(key)
                yield application

    def is_own(self, source: Source) -> bool:
        """Whether the source is a folder of this repository."""
        return source.is_folder and self.own is not None and normalized_url(source.repo_url) == self.own

    def overlay_of(self, source: Source) -> str | None:
        """The overlay that a source deploys; None where it is another repository's, or not in this run."""
        return self._by_folder.get(normalized_path(source.path or "")) if self.is_own(source) else None

    def overlays_of(self, application: Application) -> list[str] | None:
        """The overlays that an Application deploys; None where it deploys something that is not in this run too."""
        found = [self.overlay_of(source) for _, source in application.sources if source.is_folder or source.chart]
        return None if None in found or not found else [each for each in found if each is not None]

    def deployed(self) -> dict[str, list[Application]]:
        """The Applications that deploy each overlay."""
        found: dict[str, list[Application]] = {}
        for application in self.applications:
            for _, source in application.sources:
                overlay = self.overlay_of(source)
                if overlay is not None:
                    found.setdefault(overlay, []).append(application)
        return found

    def project_of(self, application: Application) -> Project | None:
        """The project that an Application names: of its own overlay, else of any."""
        for is_near in (True, False):
            for project in self.projects:
                if project.name == application.project and (project.overlay == application.overlay or not is_near):
                    return project
        return None

    @cached_property
    def _by_folder(self) -> Mapping[str, str]:
        return {normalized_path(folder): overlay for overlay, folder in reversed(list(self.folders.items()))}


def read_deployments(
    indexes: Mapping[str, Index],
    folders: Mapping[str, str],
    entries_of: EntriesOf,
    remotes: Callable[[], Iterable[str]],
) -> Deployments:
    """What the objects of all overlays would have Argo CD deploy.

    ``entries_of`` tells which folders there are, for generators that ask and for Applications whose path is no overlay.
    """
    reading = _Reading(entries_of)
    objects = [
        (overlay, resource)
        for overlay, index in indexes.items()
        for resource in index.resources
        if resource.ref.api_version.startswith(f"{GROUP}/")
    ]
    if objects:
        reading.own = _own_repository(objects, entries_of, remotes)
    for overlay, resource in objects:
        reading.read(overlay, resource)
    return Deployments(
        tuple(reading.applications),
        tuple(reading.projects),
        tuple(reading.problems),
        tuple(reading.unknown),
        reading.own,
        folders,
        entries_of,
    )


def _own_repository(
    objects: Iterable[tuple[str, Resource]], entries_of: EntriesOf, remotes: Callable[[], Iterable[str]]
) -> str | None:
    """The repository whose paths are here, by most sources, else by most generators; else a remote that one names.

    The root of a repository is everywhere, so it says nothing.
    """
    stated = [each for _, resource in objects for each in _stated_paths(resource.raw)]
    for of_generators in (False, True):
        here = Counter(
            normalized_url(each.url)
            for each in stated
            if each.of_generator is of_generators and each.folder and entries_of(each.folder) is not None
        )
        if here:
            return here.most_common(1)[0][0]
    named = {normalized_url(each.url) for each in stated}
    return next((url for url in map(normalized_url, remotes()) if url in named), None)


class _Path(msgspec.Struct, frozen=True):
    """A folder that is said to be in a repository; of a pattern the part before its first star."""

    url: str
    folder: str
    of_generator: bool = False


def _stated_paths(node: Any) -> Iterator[_Path]:
    """Every path with a repository beside it, of sources and of git generators."""
    if isinstance(node, list):
        for item in node:
            yield from _stated_paths(item)
    elif isinstance(node, Mapping):
        url, path, directories = node.get("repoURL"), node.get("path"), node.get("directories")
        if isinstance(url, str) and "{{" not in url and not node.get("chart"):
            if isinstance(path, str) and "{{" not in path:
                yield _Path(url, normalized_path(path))
            for item in directories if isinstance(directories, list) else ():
                pattern = item.get("path") if isinstance(item, Mapping) else None
                if isinstance(pattern, str):
                    yield _Path(url, normalized_path(pattern.partition("*")[0].rpartition("/")[0]), of_generator=True)
        for child in node.values():
            yield from _stated_paths(child)


class _Reading:
    def __init__(self, entries_of: EntriesOf) -> None:
        self.entries_of = entries_of
        self.own: str | None = None
        self.applications: list[Application] = []
        self.projects: list[Project] = []
        self.problems: list[Problem] = []
        self.unknown: list[Unknown] = []

    def read(self, overlay: str, resource: Resource) -> None:
        kind = resource.ref.kind
        try:
            if kind == "AppProject":
                self.projects.append(Project(overlay, resource, convert(_spec(resource), ProjectSpec, ("spec",))))
            elif kind == "Application":
                spec = convert(_spec(resource), ApplicationSpec, ("spec",))
                self.applications.append(Application(overlay, resource, resource.ref.name, spec, resource.annotations))
            elif kind == "ApplicationSet":
                self.applications.extend(self._made(overlay, resource))
        except NotDecodable as error:
            self.unknown.append(Unknown(overlay, resource.field(*error.path), f"{resource.ref}: {error.message}"))
        except TemplateError as error:
            message = f"a generator cannot be filled in: {error}"
            fix = "give the generator before it that parameter, or correct its name"
            self._problem(overlay, resource.field("spec", "generators"), message, fix)
        except NotUnderstood as error:
            reason = f"{resource.ref}: what it makes is not known here: {error}"
            self.unknown.append(Unknown(overlay, resource.field("spec"), reason))

    def _made(self, overlay: str, resource: Resource) -> Iterator[Application]:
        spec = _spec(resource)
        if spec.get("templatePatch"):
            raise NotUnderstood("a templatePatch")
        from policy.argocd.generators import Reader  # few have an ApplicationSet

        options = spec.get("goTemplateOptions")
        reader = Reader(
            self.entries_of,
            lambda url: self.own is not None and normalized_url(url) == self.own,
            is_go=spec.get("goTemplate") is True,
            is_strict=isinstance(options, list) and "missingkey=error" in options,
        )
        names: set[str] = set()
        generators = spec.get("generators")
        for number, generator in enumerate(generators if isinstance(generators, list) else ()):
            if not isinstance(generator, Mapping):
                continue
            made = list(reader.made_by(generator, ("spec", "generators", number)))
            if not made:
                at = resource.field("spec", "generators", number)
                message = "this generator finds nothing, so no Application is made"
                self._problem(overlay, at, message, "correct what it looks for, or delete it")
            for one in made:
                application = self._filled(overlay, resource, reader, one)
                if application is not None and application.name in names:
                    message = f"{resource.ref} makes the Application {application.name} twice"
                    fix = "give each its own name, by a parameter that differs"
                    self._problem(
                        overlay, application.field("metadata", "name"), message, fix, resource.field(*one.element)
                    )
                elif application is not None:
                    names.add(application.name)
                    yield application

    def _problem(self, overlay: str, at: Field, message: str, fix: str, *related: Field) -> None:
        self.problems.append(Problem(overlay, at, message, fix, related))

    def _filled(self, overlay: str, resource: Resource, reader: Reader, made: Made) -> Application | None:
        template = _mapping(_spec(resource).get("template"))
        prefix, element = ("spec", "template"), resource.field(*made.element)
        fix = "give the generator that parameter, or correct its name in the template"
        try:
            filled = {
                key: render(template.get(key), made.parameters, is_go=reader.is_go, is_strict=reader.is_strict)
                for key in ("metadata", "spec")
            }
        except TemplateError as error:
            message = f"the template cannot be filled in: {error}"
            self._problem(overlay, resource.field(*prefix), message, fix, element)
            return None
        for path, left in unfilled(filled):
            message = f"the template is left with {left}, which no parameter fills in"
            self._problem(overlay, resource.field(*prefix, *path), message, fix, element)
        metadata = _mapping(filled["metadata"])
        spec = convert(_mapping(filled["spec"]), ApplicationSpec, (*prefix, "spec"))
        annotations = {str(key): str(value) for key, value in _mapping(metadata.get("annotations")).items()}
        name = str(metadata.get("name", ""))
        return Application(overlay, resource, name, spec, annotations, prefix, made.element)


def _spec(resource: Resource) -> Mapping[str, Any]:
    return _mapping(resource.raw.get("spec"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
