"""Every entry of a kustomization changes something.

An entry is a patch, an image, a replica count, each label and annotation, each target of a replacement, the namespace,
the prefix and suffix of names, and a generator that merges.

Why: Kustomize accepts an entry that finds nothing. An image under a name that no container has keeps the old version
running, a patch whose target selects no object is never applied, and the review shows a change that is none.

Fix: correct what the entry names, or delete it.

Bad:

```yaml
# the container's image is nginxinc/nginx-unprivileged
images:
  - name: nginx
    newTag: 1.29.1
```

Good:

```yaml
images:
  - name: nginxinc/nginx-unprivileged
    newTag: 1.29.1
```

Which entries may be idle is worked out from the sources. Each of those is then left out in a copy, which is built with
the real kustomize: only where that renders the same, byte by byte, is it told. `[rules.overlay-entry-effective] deep =
false` takes the sources' word for it, which is faster where there is much to tell; an entry of which they are not
certain is then not checked. A base is judged by what it renders itself, so an overlay may change again what it has set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.findings import Finding, Severity, Skipped
from policy.rules.rule import Context, Options, Rule
from policy.rules.subjects import Repository

if TYPE_CHECKING:
    from policy.kustomize.effect import Idle
    from policy.kustomize.marks import Map
    from policy.kustomize.sources import SourceTree


class OverlayEntryEffectiveOptions(Options, frozen=True):
    """``deep``: prove each finding by a build of the real kustomize."""

    deep: bool = True


def check(repository: Repository, context: Context) -> Iterator[Finding | Skipped]:
    if not repository.trees:
        return
    from policy.kustomize.effect import Effects

    effects = Effects()
    deep = context.options(OverlayEntryEffectiveOptions).deep
    for name, tree in repository.trees.items():
        origins = repository.origins[name]()
        if origins is None or origins.emulation is None or not repository.indexes[name].resources:
            continue  # an overlay that cannot be rendered has no effects to be told
        idle = effects.idle(tree, origins.emulation)
        if not deep:
            only_deep = "only a build can tell (deep = true)"
            yield from (_finding(each, name) if each.is_certain else _unsure(each, only_deep) for each in idle)
            continue
        for judged_in in {each.judged_in.folder: None for each in idle}:
            mine = [each for each in idle if each.judged_in.folder == judged_in]
            try:
                yield from (_finding(each, name) for each in _proven(repository, tree, mine))
            except PolicyError as error:
                yield from (_unsure(each, f"it cannot be built: {error}") for each in mine)


def _proven(repository: Repository, tree: SourceTree, idle: Sequence[Idle]) -> Iterator[Idle]:
    """Those without which the real kustomize renders the same. Raises PolicyError if nothing can be built."""
    from policy.kustomize.entries import without, written

    lacking = [{each.kustomization.file.path: written(without(each.kustomization, each.entry))} for each in idle]
    whole, *rest = repository.facts.render_variants(tree, idle[0].judged_in.folder, [{}, *lacking])
    if isinstance(whole, PolicyError):
        raise whole
    for each, result in zip(idle, rest, strict=True):
        if result == whole:
            yield each


def _unsure(idle: Idle, why: str) -> Skipped:
    return Skipped(idle.entry.place, f"{idle.kustomization.file.name}: {idle.entry} seems to change nothing; {why}")


def _finding(idle: Idle, overlay: str) -> Finding:
    return Finding(
        at=idle.entry.place,
        message=f"{idle.entry} changes nothing: {_reason(idle)}",
        fix="correct what it names, or delete it",
        overlay=overlay,
    )


def _reason(idle: Idle) -> str:
    from policy.kustomize.marks import Map, Scalar
    from policy.kustomize.selectors import Selector

    node, field = idle.entry.node, idle.entry.steps[0]
    if isinstance(node, Map):
        if field in ("images", "imageTags"):
            return _about_image(idle, node)
        if field == "replicas":
            count = node.text("count")
            return f"{node.text('name')} has {count} {'replica' if count == '1' else 'replicas'} without it"
        selecting = node.fields.get("select" if field == "replacements" else "target")
        if isinstance(selecting, Map) and not any(Selector.read(selecting).selects(each) for each in idle.objects):
            return "it selects no object"
    if isinstance(node, Scalar) and field != "patchesStrategicMerge":
        return "it is so without it"
    return "all that it says is there without it"


def _about_image(idle: Idle, item: Map) -> str:
    from policy.kustomize.transform import container_images, image_matcher, split_image

    name = item.text("name")
    images = [image for each in idle.objects for image in container_images(each.root)]
    matches = image_matcher(name)
    if any(matches(image) for image in images):
        return "the image is the same without it"
    import difflib  # only errors need it

    near = difflib.get_close_matches(name, {split_image(image)[0] for image in images}, n=1, cutoff=0.5)
    return f"no container has an image {name}" + (f"; did you mean {near[0]}?" if near else "")


RULE = Rule(
    id="overlay-entry-effective",
    applies_to=Repository,
    severity=Severity.ERROR,
    check=check,
    options=OverlayEntryEffectiveOptions,
)
