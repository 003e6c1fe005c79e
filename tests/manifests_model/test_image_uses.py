"""Every image that a pod pulls is found: of all its containers, and of image volumes."""

from __future__ import annotations

import yaml

from policy.manifests.decode import resources_of
from policy.manifests.image_uses import image_uses
from policy.manifests.workloads import workload

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  initContainers: [{name: prepare, image: "prepare:1"}]
  containers: [{name: app, image: "app:1", imagePullPolicy: Always}, {name: bare}]
  ephemeralContainers: [{name: debug, image: "debug:1"}]
  volumes:
    - {name: cache, emptyDir: {}}
    - {name: model, image: {reference: "registry.example/model:7", pullPolicy: IfNotPresent}}
    - {name: empty, image: {}}
"""


def test_containers_of_each_kind_and_image_volumes() -> None:
    (resource,) = resources_of(yaml.safe_load(POD), 0)
    made = workload(resource)
    assert made is not None

    assert [
        (use.who, use.verb, str(use.image), use.at.path, use.pull_policy, use.pull_policy_at.path)
        for use in image_uses(made)
    ] == [
        (
            who,
            "mounts" if path[0] == "volumes" else "runs",
            image,
            ("spec", *path, "reference" if path[0] == "volumes" else "image"),
            policy,
            ("spec", *path, "pullPolicy" if path[0] == "volumes" else "imagePullPolicy"),
        )
        for who, image, path, policy in [
            ("init container prepare", "prepare:1", ("initContainers", 0), None),
            ("container app", "app:1", ("containers", 0), "Always"),
            ("container bare", "None", ("containers", 1), None),
            ("ephemeral container debug", "debug:1", ("ephemeralContainers", 0), None),
            ("volume model", "registry.example/model:7", ("volumes", 1, "image"), "IfNotPresent"),
            ("volume empty", "None", ("volumes", 2, "image"), None),
        ]
    ]
