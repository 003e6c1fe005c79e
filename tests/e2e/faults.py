"""What dies in the middle of a change of dev, and is started again by the command that a person would use."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cluster.argocd import CONTROLLER
from tests.e2e.frontend import KUSTOMIZATION, container, frontend, with_image
from tests.e2e.live import Live, run_cluster


@dataclass(frozen=True, slots=True)
class Faults:
    """``starts_pods`` is the process by which pods begin and end, ``flags`` are those of this cluster's `up`."""

    live: Live
    starts_pods: str
    flags: tuple[str, ...] = ()

    def kill_controller_in_a_sync(self) -> None:
        """Another image is pushed; its sync is in its middle when the application-controller dies."""
        live, digest = self.live, self._another()
        with self._brought_back(), self._no_pod_begins_or_ends():
            revision = self._push_image(digest)

            def waits_for_the_job() -> bool:
                """For the end of the last one's pod, or for that of the new one."""
                status = live.application("dev")["status"].get("operationState", {})
                is_ours = status.get("operation", {}).get("sync", {}).get("revision") == revision
                return bool(is_ours and status.get("message", "").startswith("waiting for"))

            live.wait_for("the sync waits for its Job", waits_for_the_job)
            live.cluster.state.process(CONTROLLER).kill()
            assert not self._is_live(digest), "it was killed too late to say anything"
            started = time.monotonic()
        live.wait_synced("dev", revision)
        live.measure("controller killed to healthy", started)
        assert self._is_live(digest)

    @contextmanager
    def api_server_killed_in_a_push(self) -> Iterator[None]:
        """Another image is pushed; the API server is dead in the body, and back when all is healthy."""
        live, digest = self.live, self._another()
        revision = self._push_image(digest)
        with self._brought_back():
            live.cluster.state.process("kube-apiserver").kill()
            started = time.monotonic()
            yield
        # What Argo CD says right after the server is back may be from before, so what runs is asked first.
        live.wait_for("the image is live", lambda: self._is_live(digest))
        live.wait_synced("dev", revision)
        live.measure("API server killed to healthy", started)

    @contextmanager
    def _no_pod_begins_or_ends(self) -> Iterator[None]:
        """So a sync stays in its middle: it waits for the pod of its Job."""
        process = self.live.cluster.state.process(self.starts_pods).pid()
        assert process is not None
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)

    def _another(self) -> str:
        """The digest of an image that is not live."""
        return next(one for one in self.live.digests if not self._is_live(one))

    def _push_image(self, digest: str) -> str:
        self.live.edit(KUSTOMIZATION, lambda text: with_image(text, digest))
        return self.live.push(f"A frontend of {digest}")

    def _is_live(self, digest: str) -> bool:
        return bool(container(frontend(self.live))["image"].endswith(digest))

    @contextmanager
    def _brought_back(self) -> Iterator[None]:
        """What dies in the body runs afterwards, however that ends: other tests need it."""
        try:
            yield
        finally:
            done = run_cluster("up", *self.flags, "--state", self.live.cluster.state.folder)
            assert done.returncode == 0, done.stderr
