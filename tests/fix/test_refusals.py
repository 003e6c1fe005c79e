"""What is not certain is not written: the file stays as it is, and the reason is told."""

from __future__ import annotations

import textwrap

import pytest

from tests.fix.repository import KUSTOMIZATION, WEB, Ran, Repository

ESCALATION = ("no-privilege-escalation",)
UNSAFE = WEB.replace("            allowPrivilegeEscalation: false\n", "")
LINE = "kind: Pod\napiVersion: v1\nmetadata: {name: web}\n"


def refused(repository: Repository, *paths: str, rules: tuple[str, ...] = ESCALATION) -> str:
    """What is told of the first finding that is not mended, after a run that must not have changed anything."""
    before = repository.files()
    ran = repository.fix(*paths, rules=rules)
    assert repository.files() == before
    assert "+++" not in ran.out
    lines = [line for line in ran.out.splitlines() if line.startswith("not mended")]
    assert lines, ran.out
    return lines[0]


SOURCES = {
    "braces": (
        LINE + "spec: {containers: [{name: app, image: app:1}]}\n",
        "web.yaml:4 is written in braces",
    ),
    "braces of the container alone": (
        LINE + "spec:\n  containers:\n    - {name: app, image: app:1}\n",
        "web.yaml:6 is written in braces",
    ),
    "an empty mapping": (
        LINE + "spec:\n  containers:\n    - name: app\n      image: app:1\n      securityContext: {}\n",
        "web.yaml:8 is written in braces",
    ),
    "an anchor": (
        LINE
        + "spec:\n  containers:\n    - name: app\n      image: app:1\n      securityContext: &own\n"
        + "        privileged: false\n",
        "web.yaml:8 is shared with other places by an anchor (& or *)",
    ),
    "an alias": (
        LINE
        + "spec:\n  containers:\n    - name: app\n      image: app:1\n      securityContext: &own\n"
        + "        privileged: false\n    - name: side\n      image: app:1\n      securityContext: *own\n",
        "is shared with other places by an anchor (& or *)",
    ),
    "a merge key": (
        LINE.replace("metadata: {name: web}", "metadata:\n  name: web\n  labels: &own {a: b}")
        + "spec:\n  containers:\n    - name: app\n      image: app:1\n      securityContext:\n        <<: *own\n",
        "takes fields from an anchor (<<)",
    ),
    "a List": (
        "kind: List\napiVersion: v1\nitems:\n  - kind: Pod\n    apiVersion: v1\n    metadata:\n      name: web\n"
        "    spec:\n      containers:\n        - name: app\n          image: app:1\n",
        "the object is an item of a List",
    ),
    "a null that is written": (
        LINE + "spec:\n  containers:\n    - name: app\n      image: app:1\n      securityContext: null\n",
        "",
    ),
    "a value that somebody chose": (
        LINE
        + "spec:\n  containers:\n    - name: app\n      image: app:1\n      securityContext:\n"
        + "        allowPrivilegeEscalation: true\n",
        "the field is set, and a value that somebody chose is not changed",
    ),
    "a privileged container": (
        LINE
        + "spec:\n  containers:\n    - name: app\n      image: app:1\n      securityContext:\n"
        + "        privileged: true\n",
        "the container is privileged, and the API server refuses the two together",
    ),
    "a container that adds SYS_ADMIN": (
        LINE
        + "spec:\n  containers:\n    - name: app\n      image: app:1\n      securityContext:\n"
        + "        capabilities:\n          add: [CAP_SYS_ADMIN]\n",
        "the container adds SYS_ADMIN, and the API server refuses the two together",
    ),
}


@pytest.mark.parametrize("kustomized", [True, False], ids=["kustomization", "plain"])
@pytest.mark.parametrize("case", SOURCES)
def test_a_source_that_cannot_take_the_field(case: str, kustomized: bool, repository: Repository) -> None:
    text, reason = SOURCES[case]
    repository.write({"k8s/web.yaml": text, **({"k8s/kustomization.yaml": KUSTOMIZATION} if kustomized else {})})

    assert reason in refused(repository, "k8s")


def test_json(repository: Repository) -> None:
    repository.write(
        {
            "web.json": '{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web"},\n'
            ' "spec": {"containers": [\n{"name": "app", "image": "app:1"}\n]}}\n'
        }
    )

    assert "is written in braces" in refused(repository, "web.json")


def test_standard_input(repository: Repository) -> None:
    assert repository.check("--fix", "-") == Ran(
        2, "", "policy: standard input cannot be mended: there is no file to write to\n"
    )


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        (
            """\
            patches:
              - target: {kind: Deployment}
                path: patch.yaml
            """,
            "overlay/patch.yaml:6 is part of a JSON patch",
        ),
        (
            """\
            patches:
              - patch: |-
                  apiVersion: apps/v1
                  kind: Deployment
                  metadata:
                    name: web
                  spec:
                    template:
                      spec:
                        containers:
                          - name: sidecar
                            image: sidecar:1
            """,
            "it comes from patches[0] of overlay/kustomization.yaml itself",
        ),
    ],
    ids=["JSON patch", "inline patch"],
)
def test_a_container_that_a_patch_makes(patch: str, reason: str, repository: Repository) -> None:
    repository.write(
        {
            "base/kustomization.yaml": KUSTOMIZATION,
            "base/web.yaml": WEB,
            "overlay/patch.yaml": """\
                - op: add
                  path: /spec/template/spec/containers/-
                  value:
                    # its
                    # name
                    name: sidecar
                    image: sidecar:1
                """,
        }
    )
    kustomization = "resources:\n  - ../base\n" + textwrap.dedent(patch)
    repository.write({"overlay/kustomization.yaml": kustomization.encode()})

    assert reason in refused(repository, "overlay")


def test_a_container_that_comes_from_what_is_not_understood(repository: Repository) -> None:
    repository.write(
        {
            "base/kustomization.yaml": KUSTOMIZATION,
            "base/web.yaml": WEB,
            "overlay/kustomization.yaml": "resources:\n  - ../base\ntransformers:\n  - add.yaml\n",
            "overlay/add.yaml": """\
                apiVersion: builtin
                kind: PatchTransformer
                metadata:
                  name: add
                target:
                  kind: Deployment
                patch: |-
                  - op: add
                    path: /spec/template/spec/containers/-
                    value:
                      name: sidecar
                      image: sidecar:1
                """,
        }
    )

    assert "the place where it belongs is not known exactly" in refused(repository, "overlay")


def test_a_field_that_a_patch_takes_away(repository: Repository) -> None:
    repository.write(
        {
            "base/kustomization.yaml": KUSTOMIZATION,
            "base/web.yaml": WEB,
            "overlay/kustomization.yaml": "resources:\n  - ../base\npatches:\n  - path: web.yaml\n",
            "overlay/web.yaml": """\
                apiVersion: apps/v1
                kind: Deployment
                metadata:
                  name: web
                spec:
                  template:
                    spec:
                      containers:
                        - name: app
                          securityContext:
                            allowPrivilegeEscalation:
                """,
        }
    )

    assert "overlay/web.yaml:11 takes allowPrivilegeEscalation away" in refused(repository, "overlay")


def test_a_mapping_that_a_patch_takes_away(repository: Repository) -> None:
    repository.write(
        {
            "base/kustomization.yaml": KUSTOMIZATION,
            "base/web.yaml": WEB,
            "overlay/kustomization.yaml": "resources:\n  - ../base\npatches:\n  - path: web.yaml\n",
            "overlay/web.yaml": """\
                apiVersion: apps/v1
                kind: Deployment
                metadata:
                  name: web
                spec:
                  template:
                    spec:
                      containers:
                        - name: app
                          securityContext:
                """,
        }
    )

    assert "overlay/web.yaml:10 takes securityContext away" in refused(repository, "overlay")


ROOT = (
    LINE + "spec:\n  containers:\n    - name: app\n      image: app:1\n      securityContext:\n        runAsUser: 0\n"
)


def test_root_keeps_its_capabilities(repository: Repository) -> None:
    repository.write({"web.yaml": ROOT})

    assert "the container runs as root" in refused(repository, "web.yaml", rules=("capabilities-dropped",))


def test_a_pod_is_not_kept_from_starting_for_the_sake_of_one_container(repository: Repository) -> None:
    repository.write({"web.yaml": ROOT + "    - name: other\n      image: app:1\n"})

    reason = refused(repository, "web.yaml", rules=("run-as-non-root",))

    assert "runAsUser is 0 for container app, which would not start" in reason


# --- other overlays that read the same base

OVERLAYS = """\
[environments]
dev = "dev"
prod = "prod"
"""
FROM_BASE = "resources:\n  - ../base\n"
BASE = {
    "policy.toml": OVERLAYS,
    "base/kustomization.yaml": KUSTOMIZATION,
    "base/web.yaml": UNSAFE,
    "dev/kustomization.yaml": FROM_BASE,
    "prod/kustomization.yaml": FROM_BASE,
}


@pytest.mark.parametrize("checked", [("dev",), (), ("dev", "prod")], ids=["dev", "all", "both"])
def test_an_environment_that_accepts_the_finding_is_not_changed(
    checked: tuple[str, ...], repository: Repository
) -> None:
    repository.write(
        BASE
        | {
            "policy.toml": OVERLAYS
            + """
[[exception]]
rule = "no-privilege-escalation"
object = "Deployment/web"
environments = ["prod"]
reason = "sudo, until 3.0"
owner = "team-web"
expires = 2999-12-31
"""
        }
    )

    reason = refused(repository, *checked)

    assert reason.startswith("not mended  no-privilege-escalation  base/web.yaml:21: ")
    assert "it would also change Deployment/web" in reason
    assert "in prod, where no finding asks for it" in reason


def test_an_environment_where_the_rule_is_off_is_not_changed(repository: Repository) -> None:
    off = "[rules.no-privilege-escalation.environments.prod]\nenabled = false\n"
    repository.write(BASE | {"policy.toml": OVERLAYS + off})

    assert "in prod, where no finding asks for it" in refused(repository, "dev")


def test_a_kustomization_that_no_setting_names_is_not_changed_either(repository: Repository) -> None:
    repository.write(
        BASE
        | {
            "elsewhere/debug/kustomization.yaml": "resources:\n  - ../../base\npatches:\n  - path: web.yaml\n",
            "elsewhere/debug/web.yaml": """\
                apiVersion: apps/v1
                kind: Deployment
                metadata:
                  name: web
                spec:
                  template:
                    spec:
                      containers:
                        - name: app
                          securityContext:
                            privileged: true
                """,
        }
    )

    reason = refused(repository, rules=ESCALATION)

    assert "in elsewhere/debug, where no finding asks for it" in reason


def test_an_environment_that_says_so_itself_is_no_obstacle(repository: Repository) -> None:
    repository.write(
        BASE
        | {
            "prod/kustomization.yaml": FROM_BASE + "patches:\n  - path: web.yaml\n",
            "prod/web.yaml": """\
                apiVersion: apps/v1
                kind: Deployment
                metadata:
                  name: web
                spec:
                  template:
                    spec:
                      containers:
                        - name: app
                          securityContext:
                            allowPrivilegeEscalation: false
                """,
        }
    )

    assert repository.fix("dev", rules=ESCALATION).code == 0
    assert repository.read("base/web.yaml").decode() == WEB


def test_an_environment_that_does_not_render(repository: Repository) -> None:
    repository.write(BASE | {"prod/kustomization.yaml": FROM_BASE + "patches:\n  - path: none.yaml\n"})

    assert "prod cannot be read" in refused(repository, "dev")


def test_an_environment_that_kustomize_refuses(repository: Repository) -> None:
    lost = "apiVersion: v1\nkind: Service\nmetadata:\n  name: lost\n"
    repository.write(
        BASE | {"prod/kustomization.yaml": FROM_BASE + "patches:\n  - path: lost.yaml\n", "prod/lost.yaml": lost}
    )

    assert "prod reads the file too and does not render" in refused(repository, "dev")


def test_an_environment_with_a_remote_part(repository: Repository) -> None:
    remote = FROM_BASE + "  - https://example.com/team/base?ref=v1\n"
    repository.write(BASE | {"prod/kustomization.yaml": remote})

    assert "prod reads the file too and does not render" in refused(repository, "dev")


def test_a_broken_kustomization_that_nothing_names_is_no_obstacle(repository: Repository) -> None:
    repository.write(BASE | {"fixtures/kustomization.yaml": "resources: [none.yaml]\n"})

    assert repository.fix("dev", rules=ESCALATION).code == 0


def test_an_environment_that_replaces_what_is_mended(repository: Repository) -> None:
    repository.write(
        BASE
        | {
            "prod/kustomization.yaml": FROM_BASE + "patches:\n  - path: web.yaml\n",
            "prod/web.yaml": """\
                apiVersion: apps/v1
                kind: Deployment
                metadata:
                  name: web
                spec:
                  template:
                    spec:
                      containers:
                        - name: app
                          securityContext:
                            $patch: replace
                            runAsUser: 10001
                """,
        }
    )

    reason = refused(repository, rules=ESCALATION)

    assert "prod would not change, something there goes before it (Deployment/web" in reason


def test_one_bad_edit_does_not_keep_the_others(repository: Repository) -> None:
    """Nine containers, and prod must keep one of them as it is."""
    containers = [f"        - name: app-{number}\n          image: app:1\n" for number in range(9)]
    head = WEB[: WEB.index("        - name: app")]
    repository.write(
        BASE
        | {
            "base/web.yaml": head + "".join(containers),
            "policy.toml": OVERLAYS
            + """
[[exception]]
rule = "no-privilege-escalation"
object = "Deployment/web"
container = "app-4"
environments = ["prod"]
reason = "sudo, until 3.0"
owner = "team-web"
expires = 2999-12-31
""",
        }
    )

    ran = repository.fix(rules=ESCALATION)

    added = "          securityContext:\n            allowPrivilegeEscalation: false\n"
    expected = [text if "app-4" in text else text + added for text in containers]
    assert repository.read("base/web.yaml").decode() == head + "".join(expected)
    assert [line for line in ran.out.splitlines() if line.startswith("not mended")] == [
        "not mended  no-privilege-escalation  base/web.yaml:27: it would also change Deployment/web "
        "spec.template.spec.containers[name=app-4].securityContext in prod, where no finding asks for it"
    ]
