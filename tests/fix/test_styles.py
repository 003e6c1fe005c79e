"""Whatever a file looks like, what is added looks like it, and not one other byte is another one."""

from __future__ import annotations

import difflib

import pytest

from tests.fix.repository import KUSTOMIZATION, POD_RULES, Repository

HEAD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
"""

STYLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "dashes below their key, comments everywhere": (
        """\
# a file
apiVersion: v1   # core
kind: Pod
metadata:
  name: web
spec:

  # the pod
  serviceAccountName: 'web'   # its own
  # what runs
  containers:
  # first
  - name: "app"
    image: app:1
    securityContext:  # of the container
      # written by hand
      readOnlyRootFilesystem: true
      capabilities:
        add:
        - NET_BIND_SERVICE # to listen on 80
        # - NET_RAW

  # second
  - {name: sidecar, image: app:1, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
# the end
""",
        (
            "+  securityContext:",
            "+    runAsNonRoot: true",
            "+    seccompProfile:",
            "+      type: RuntimeDefault",
            "+      allowPrivilegeEscalation: false",
            "+        drop:",
            "+        - ALL",
        ),
    ),
    "four columns": (
        """\
apiVersion: v1
kind: Pod
metadata:
    name: web
spec:
    containers:
        -   name: app
            image: app:1
            resources:
                requests:
                    cpu: 1
""",
        (
            "+    securityContext:",
            "+        runAsNonRoot: true",
            "+        seccompProfile:",
            "+            type: RuntimeDefault",
            "+            securityContext:",
            "+                allowPrivilegeEscalation: false",
            "+                capabilities:",
            "+                    drop:",
            "+                        - ALL",
        ),
    ),
    "a key without a value": (
        HEAD
        + """\
spec:
  securityContext:   # nothing yet

  containers:
    - name: app
      image: app:1
      securityContext:
""",
        (
            "+    runAsNonRoot: true",
            "+    seccompProfile:",
            "+      type: RuntimeDefault",
            "+        allowPrivilegeEscalation: false",
            "+        capabilities:",
            "+          drop:",
            "+            - ALL",
        ),
    ),
    "a block of text before": (
        HEAD
        + """\
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - image: app:1
      name: app
      args:
        - |
          one
            # no comment

        - >-
          two

          # neither


  # a comment of the pod
  nodeName: here
""",
        (
            "+  securityContext:",
            "+    runAsNonRoot: true",
            "+    seccompProfile:",
            "+      type: RuntimeDefault",
            "+      securityContext:",
            "+        allowPrivilegeEscalation: false",
            "+        capabilities:",
            "+          drop:",
            "+            - ALL",
        ),
    ),
    "tabs in comments, and all the world's letters": (
        """\
\u0023\ttabs\tand\tBäume \U0001f333
apiVersion: v1
kind: Pod
metadata:
  name: web
  annotations: {text: "größer \U0001f333 \\u00e4", 日本: "語"}\t# after\ttabs
spec:
  containers: #\t\U0001f333\U0001f333
    - name: app #\t日本
      image: app:1\t# ä
""",
        (
            "+  securityContext:",
            "+    runAsNonRoot: true",
            "+    seccompProfile:",
            "+      type: RuntimeDefault",
            "+      securityContext:",
            "+        allowPrivilegeEscalation: false",
            "+        capabilities:",
            "+          drop:",
            "+            - ALL",
        ),
    ),
    "several documents": (
        """\
# first
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data: {}
...
---
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
    - name: app
      image: app:1
---
# empty
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: others
""",
        (
            "+  securityContext:",
            "+    runAsNonRoot: true",
            "+    seccompProfile:",
            "+      type: RuntimeDefault",
            "+      securityContext:",
            "+        allowPrivilegeEscalation: false",
            "+        capabilities:",
            "+          drop:",
            "+            - ALL",
        ),
    ),
}


def added(before: bytes, after: bytes) -> list[str]:
    lines = after.decode().splitlines()
    matcher = difflib.SequenceMatcher(None, before.decode().splitlines(), lines, autojunk=False)
    return [
        f"+{line}"
        for operation, _, _, start, end in matcher.get_opcodes()
        if operation != "equal"
        for line in lines[start:end]
    ]


def without(after: bytes, lines: tuple[str, ...], ends: bytes) -> bytes:
    """The file without the lines that were added, each taken out once, in order."""
    for line in lines:
        needle = ends + line[1:].encode()
        start = next(
            index
            for index in range(len(after))
            if after.startswith(needle, index) and after[index + len(needle) :][: len(ends)] in (ends, b"")
        )
        after = after[:start] + after[start + len(needle) :]
    return after


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("final", [True, False], ids=["final newline", "none"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte order mark"])
@pytest.mark.parametrize("kustomized", [True, False], ids=["kustomization", "plain"])
@pytest.mark.parametrize("style", STYLES)
def test_only_lines_in_the_style_of_the_file_are_added(
    style: str, kustomized: bool, mark: bytes, final: bool, ends: bytes, repository: Repository
) -> None:
    text, expected = STYLES[style]
    before = mark + (text if final else text.rstrip("\n")).encode().replace(b"\n", ends)
    files: dict[str, str | bytes] = {"k8s/web.yaml": before}
    if kustomized:
        files["k8s/kustomization.yaml"] = KUSTOMIZATION
    repository.write(files)

    ran = repository.fix("k8s")

    assert (ran.code, ran.err) == (0, "")
    after = repository.read("k8s/web.yaml")
    assert sorted(added(before, after)) == sorted(expected)
    assert without(after, expected, ends) == before
    assert after.endswith(ends) == final
    assert repository.check("k8s", rules=POD_RULES).code == 0


PLACES = {
    "in their order": (
        """\
spec:
  serviceAccountName: web
  volumes: []
  containers:
    - name: app
      image: app:1
      securityContext:
        capabilities:
          add:
            - NET_BIND_SERVICE
        runAsGroup: 10001
""",
        """\
spec:
  serviceAccountName: web
  securityContext:
    runAsNonRoot: true
    seccompProfile:
      type: RuntimeDefault
  volumes: []
  containers:
    - name: app
      image: app:1
      securityContext:
        capabilities:
          add:
            - NET_BIND_SERVICE
          drop:
            - ALL
        runAsGroup: 10001
        allowPrivilegeEscalation: false
""",
    ),
    "behind the comments that belong to what is above": (
        """\
spec:
  securityContext:
    runAsNonRoot: true
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: app
      image: app:1
      args:
        - serve
        # - --debug

          # and more
      # the next one

    - name: side
      image: app:1
""",
        """\
spec:
  securityContext:
    runAsNonRoot: true
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: app
      image: app:1
      args:
        - serve
        # - --debug

          # and more
      securityContext:
        allowPrivilegeEscalation: false
        capabilities:
          drop:
            - ALL
      # the next one

    - name: side
      image: app:1
      securityContext:
        allowPrivilegeEscalation: false
        capabilities:
          drop:
            - ALL
""",
    ),
    "behind a block of text, and all of it": (
        """\
spec:
  securityContext:
    runAsNonRoot: true
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: app
      image: app:1
      args:
        - |+ # keeps its empty lines
          serve


    - name: side
      image: app:1
      args:
        - |2-
            serve


""",
        """\
spec:
  securityContext:
    runAsNonRoot: true
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: app
      image: app:1
      args:
        - |+ # keeps its empty lines
          serve


      securityContext:
        allowPrivilegeEscalation: false
        capabilities:
          drop:
            - ALL
    - name: side
      image: app:1
      args:
        - |2-
            serve
      securityContext:
        allowPrivilegeEscalation: false
        capabilities:
          drop:
            - ALL


""",
    ),
}


@pytest.mark.parametrize("case", PLACES)
def test_a_field_goes_where_people_expect_it(case: str, repository: Repository) -> None:
    before, after = PLACES[case]
    repository.write({"kustomization.yaml": KUSTOMIZATION, "web.yaml": HEAD + before})

    repository.fix(".")

    assert repository.read("web.yaml").decode() == HEAD + after
