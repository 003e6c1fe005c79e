"""A change of dev, pushed: seconds later real pods run it and are ready, and nothing moves elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from cluster.kubectl import Object
from tests.e2e.frontend import KUSTOMIZATION, with_image, with_limit, with_replicas
from tests.e2e.live import ENVIRONMENTS
from tests.live.full import DEV, Full, is_ready

PUSHES = 10


@dataclass(frozen=True, slots=True)
class Wish:
    """What Git says of the frontend: the digest of its image, how many there are, and the memory that each may take."""

    digest: str
    replicas: int
    memory: str

    def written(self, overlay: str) -> str:
        """The text of the overlay, of which only the image was said before."""
        return with_replicas(with_limit(with_image(overlay, self.digest), self.memory), self.replicas)

    def is_live(self, full: Full) -> bool:
        """These pods are there and no others, they run, and are ready."""
        pods = full.pods(DEV, "app.kubernetes.io/name=frontend")
        return len(pods) == self.replicas and all(map(self._is_run_by, pods))

    def _is_run_by(self, pod: Object) -> bool:
        """As the node says: of which image the container was made, and whether its probes succeed."""
        (said,) = pod["status"].get("containerStatuses") or [{}]
        (asked,) = pod["spec"]["containers"]
        is_asked = asked["resources"]["limits"]["memory"] == self.memory
        return is_asked and is_ready(pod) and str(said.get("imageID")).endswith(self.digest)


def wish(full: Full, number: int) -> Wish:
    """The one after a push: with each, one of the three changes, in turn. For three the smallest node has no room."""
    image, replicas, memory = ((number + 3 - turn) // 3 for turn in range(3))
    return Wish(full.digest(image), 2 - replicas % 2, f"{256 - memory}Mi")


def push(full: Full, wanted: Wish, first: str) -> None:
    """And wait until it is live; ``first`` is the overlay before all of this."""
    assert not wanted.is_live(full)
    full.edit(KUSTOMIZATION, lambda _: wanted.written(first))
    full.deploy("dev", f"A frontend: {wanted}", is_live=partial(wanted.is_live, full))


def test_pushes_are_live_in_time_and_a_revert_brings_back(pushed: Full) -> None:
    """Measured; the summary of the run shows the medians."""
    others = {one: pushed.generations(one) for one in ENVIRONMENTS if one != "dev"}
    assert all(others.values())
    assert wish(pushed, -1).is_live(pushed)
    first = (pushed.cluster.state.clone / KUSTOMIZATION).read_text(encoding="utf-8")
    for number in range(PUSHES):
        push(pushed, wish(pushed, number), first)
    pushed.wait_synced("dev", pushed.revert())
    assert wish(pushed, PUSHES - 2).is_live(pushed)
    assert {one: pushed.generations(one) for one in others} == others
