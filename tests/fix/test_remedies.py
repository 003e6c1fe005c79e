"""What is written: each rule's own value, or what the API server would fill in."""

from __future__ import annotations

import json
import subprocess

import pytest

from policy.fix.remedies import REMEDIES, fixable_rules
from policy.rules import RULES
from tests.fix.repository import KUSTOMIZATION, POD_RULES, WEB, Repository

EXPLICIT = """\
[environments]
dev = "dev"
prod = "prod"
[rules.requests-set]
explicit = true
[rules.limits-set]
cpu = true
explicit = true
"""
RESOURCES = ("requests-set", "limits-set")
LIMITS = """\
apiVersion: v1
kind: LimitRange
metadata:
  name: defaults
spec:
  limits:
    - type: Container
      default:
        cpu: 1
        memory: 256Mi
      defaultRequest:
        cpu: "0.5"
        memory: 128Mi
"""
OVERLAYS = {
    "policy.toml": EXPLICIT,
    "base/kustomization.yaml": "resources:\n  - web.yaml\n  - limits.yaml\n",
    "base/limits.yaml": LIMITS,
    "base/web.yaml": WEB,
    "dev/kustomization.yaml": "resources:\n  - ../base\n",
    "prod/kustomization.yaml": "resources:\n  - ../base\n",
}


def test_every_fixable_rule_is_one() -> None:
    assert set(fixable_rules()) == set(REMEDIES) <= {rule.id for rule in RULES}
    assert all(remedies and all(each.says for each in remedies) for remedies in REMEDIES.values())


def test_what_a_limit_range_gives_is_written_down(repository: Repository) -> None:
    repository.write(OVERLAYS)

    ran = repository.fix(rules=RESOURCES)

    assert ran.code == 0
    assert repository.read("base/web.yaml").decode() == WEB.replace(
        "          image: app:1\n",
        """\
          image: app:1
          resources:
            requests:
              cpu: "0.5"
              memory: 128Mi
            limits:
              cpu: 1
              memory: 256Mi
""",
    )


def test_a_limit_alone_takes_its_request_along(repository: Repository) -> None:
    """A limit that is written becomes the request, where none is: half a cpu would become a whole one."""
    repository.write(OVERLAYS)

    repository.fix(rules=("limits-set",))

    text = repository.read("base/web.yaml").decode()
    assert 'requests:\n              cpu: "0.5"\n              memory: 128Mi\n' in text


def test_fields_of_two_mappings_below_the_same_line(repository: Repository) -> None:
    one = "          resources:\n            requests:\n              cpu: 100m\n"
    repository.write(
        OVERLAYS | {"base/web.yaml": WEB.replace("          image: app:1\n", "          image: app:1\n" + one)}
    )

    assert repository.fix(rules=RESOURCES).code == 0

    limits = "            limits:\n              cpu: 1\n              memory: 256Mi\n"
    assert one + "              memory: 128Mi\n" + limits in repository.read("base/web.yaml").decode()


def test_requests_stand_before_limits_whatever_is_found_first(repository: Repository) -> None:
    empty = "          resources:\n"
    repository.write(
        OVERLAYS | {"base/web.yaml": WEB.replace("          image: app:1\n", "          image: app:1\n" + empty)}
    )

    assert repository.fix(rules=("limits-set", "requests-set")).code == 0

    requests = '            requests:\n              cpu: "0.5"\n              memory: 128Mi\n'
    limits = "            limits:\n              cpu: 1\n              memory: 256Mi\n"
    assert empty + requests + limits in repository.read("base/web.yaml").decode()


def test_a_folder_that_is_only_a_part_of_another_is_not_asked(repository: Repository) -> None:
    """Alone it has no LimitRange, and nobody builds it alone."""
    repository.write(
        {
            "policy.toml": EXPLICIT,
            "base/kustomization.yaml": "resources:\n  - web\n  - platform\n",
            "base/web/kustomization.yaml": KUSTOMIZATION,
            "base/web/web.yaml": WEB,
            "base/platform/kustomization.yaml": "resources:\n  - limits.yaml\n",
            "base/platform/limits.yaml": LIMITS,
            "dev/kustomization.yaml": "resources:\n  - ../base\n",
            "prod/kustomization.yaml": "resources:\n  - ../base\n",
        }
    )

    assert repository.fix("dev", rules=RESOURCES).code == 0


def test_a_limit_of_its_own_is_also_the_request(repository: Repository) -> None:
    own = "          resources:\n            limits:\n              cpu: 300m\n              memory: 1Gi\n"
    repository.write(
        OVERLAYS | {"base/web.yaml": WEB.replace("          image: app:1\n", "          image: app:1\n" + own)}
    )

    assert repository.fix(rules=RESOURCES).code == 0

    requests = "            requests:\n              cpu: 300m\n              memory: 1Gi\n"
    assert requests + own.split("\n", 1)[1] in repository.read("base/web.yaml").decode()


def test_environments_with_other_defaults_need_another_value(repository: Repository) -> None:
    repository.write(
        OVERLAYS
        | {
            "prod/kustomization.yaml": "resources:\n  - ../base\npatches:\n  - path: limits.yaml\n",
            "prod/limits.yaml": LIMITS.replace("256Mi", "512Mi"),
        }
    )
    expected = WEB.replace(
        "          image: app:1\n",
        "          image: app:1\n          resources:\n            requests:\n"
        '              cpu: "0.5"\n              memory: 128Mi\n            limits:\n              cpu: 1\n',
    )

    ran = repository.fix(rules=RESOURCES)

    assert "not mended  limits-set  base/web.yaml:19: dev needs 256Mi there, prod 512Mi" in ran.out
    assert repository.read("base/web.yaml").decode() == expected


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (
            {"base/kustomization.yaml": KUSTOMIZATION},
            "no LimitRange of the namespace has a default for it (requests.cpu)",
        ),
        (
            {
                "base/kustomization.yaml": "resources:\n  - web.yaml\n  - limits.yaml\n  - more.yaml\n",
                "base/more.yaml": LIMITS.replace("name: defaults", "name: more"),
            },
            "the namespace has several LimitRanges, and which default counts is not certain",
        ),
    ],
    ids=["none", "several"],
)
def test_without_one_default_nothing_is_written(files: dict[str, str], reason: str, repository: Repository) -> None:
    repository.write(OVERLAYS | files)

    assert reason in repository.fix(rules=("requests-set",)).out
    assert repository.read("base/web.yaml").decode() == WEB


# --- tokens

ACCOUNT = """\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: web
# pulls from our registry
imagePullSecrets:
  - name: registry
"""
WITH_ACCOUNT = WEB.replace("      containers:", "      serviceAccountName: web\n      containers:")
BINDING = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: web
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: reader
subjects:
  - kind: ServiceAccount
    name: web
"""
TOKEN = ("no-token-automount",)


def test_an_account_without_a_role_gives_no_token(repository: Repository) -> None:
    repository.write({"k8s/account.yaml": ACCOUNT, "k8s/web.yaml": WITH_ACCOUNT})

    assert repository.fix("k8s", rules=TOKEN).code == 0

    assert repository.read("k8s/account.yaml").decode() == ACCOUNT.replace(
        "  name: web\n", "  name: web\nautomountServiceAccountToken: false\n", 1
    )
    assert repository.read("k8s/web.yaml").decode() == WITH_ACCOUNT


def test_a_pod_of_an_account_that_is_not_here_says_so_itself(repository: Repository) -> None:
    repository.write({"k8s/web.yaml": WITH_ACCOUNT})

    assert repository.fix("k8s", rules=TOKEN).code == 0

    assert repository.read("k8s/web.yaml").decode() == WITH_ACCOUNT.replace(
        "      serviceAccountName: web\n", "      serviceAccountName: web\n      automountServiceAccountToken: false\n"
    )


@pytest.mark.parametrize(
    "binding",
    [
        BINDING,
        "kind: List\nitems:\n  - " + BINDING.replace("\n", "\n    ").rstrip(),
        BINDING.replace("  name: web\nroleRef", "  name: {{ .Values.name }}\nroleRef"),
    ],
    ids=["binding", "in a List", "in a template"],
)
def test_an_account_that_anything_else_gives_a_role_keeps_its_token(binding: str, repository: Repository) -> None:
    repository.write({"k8s/account.yaml": ACCOUNT, "k8s/web.yaml": WITH_ACCOUNT, "access/binding.yaml": binding})

    ran = repository.fix("k8s", rules=TOKEN)

    assert "the repository binds a role to a ServiceAccount web, perhaps to this one" in ran.out
    assert repository.read("k8s/account.yaml").decode() == ACCOUNT


def test_outside_of_a_repository_a_token_stays(repository: Repository) -> None:
    (repository.folder / ".git").rmdir()
    repository.write({"account.yaml": ACCOUNT, "web.yaml": WITH_ACCOUNT})

    ran = repository.fix("account.yaml", "web.yaml", rules=TOKEN)

    assert "outside of a Git repository another file may bind a role to the ServiceAccount" in ran.out
    assert repository.read("account.yaml").decode() == ACCOUNT


# --- how it is told

BARE = WEB[: WEB.index("      securityContext:")] + "      containers:\n        - name: app\n          image: app:1"
"""Without any security setting and without a final newline."""


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_the_diff_is_one_that_git_takes(ends: str, repository: Repository) -> None:
    before = BARE.replace("\n", ends).encode()
    repository.write({"k8s/web.yaml": before, "k8s/kustomization.yaml": KUSTOMIZATION})

    shown = repository.check("--diff", "k8s")

    assert shown.code == 1
    assert repository.read("k8s/web.yaml") == before
    (repository.folder / ".git").rmdir()
    subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"], input=shown.out.encode(), cwd=repository.folder, check=True
    )
    applied = repository.read("k8s/web.yaml")
    assert applied != before
    (repository.folder / ".git").mkdir()
    repository.write({"k8s/web.yaml": before})
    mended = repository.fix("k8s")
    assert repository.read("k8s/web.yaml") == applied
    assert mended.out.startswith(shown.out)


def test_nothing_to_show(repository: Repository) -> None:
    repository.write({"web.yaml": WEB})

    assert repository.check("--diff", "web.yaml").code == 0


def test_what_cannot_be_read_is_told_with_the_diff(repository: Repository) -> None:
    repository.write({"k8s/web.yaml": BARE, "k8s/broken.yaml": "apiVersion: v1\nkind: Pod\na: [\n"})

    shown = repository.check("--diff", "k8s")

    assert shown.code == 2
    assert "policy: k8s/broken.yaml:4: not valid YAML" in shown.err
    assert "k8s reads the file too and does not render" in shown.err
    assert repository.check("--fix", "k8s").code == 2


def test_what_is_told(repository: Repository) -> None:
    repository.write({"k8s/web.yaml": BARE, "k8s/kustomization.yaml": KUSTOMIZATION})

    ran = repository.fix("k8s")

    told = ran.out.partition("\n\n")[0].splitlines()
    assert [line for line in told if not line.startswith((" ", "+", "-", "@", "\\"))] == [
        "mended 4 findings in 1 file: capabilities-dropped (1), no-privilege-escalation (1), run-as-non-root (1), "
        "seccomp-set (1)",
        "look at allowPrivilegeEscalation: false: a program that becomes another user by a set-user-ID file (sudo, "
        "ping) no longer can",
        "look at capabilities.drop: [ALL]: a program that starts as root to give its power up needs SETUID and SETGID, "
        "added by name",
        "look at runAsNonRoot: true: an image whose user is root, or is not a number, does not start without a "
        "runAsUser",
    ]
    assert ran.out.splitlines()[-1].startswith("4 rules: 0 errors")


def test_a_report_of_another_format_has_standard_output_for_itself(repository: Repository) -> None:
    repository.write({"k8s/web.yaml": BARE})

    ran = repository.check("--fix", "--format", "json", "k8s")

    assert json.loads(ran.out)["findings"] == []
    assert "+++ b/k8s/web.yaml" in ran.err


def test_only_the_rules_that_run_are_mended(repository: Repository) -> None:
    repository.write({"k8s/web.yaml": BARE})

    repository.fix("k8s", rules=("seccomp-set",))

    text = repository.read("k8s/web.yaml").decode()
    assert "seccompProfile" in text
    assert "allowPrivilegeEscalation" not in text


def test_pod_security_level_is_mended_by_itself(repository: Repository) -> None:
    repository.write({"k8s/web.yaml": BARE})

    repository.fix("k8s", rules=("pod-security-level",))

    assert repository.check("k8s", rules=POD_RULES).code == 0


def test_of_two_objects_of_one_name_each_is_mended(repository: Repository) -> None:
    unsafe = WEB.replace("            allowPrivilegeEscalation: false\n", "")
    sidecar = "        - name: log\n          image: log:1\n          securityContext:\n            capabilities:\n"
    repository.write({"web.yaml": f"{unsafe}---\n{unsafe}{sidecar}              drop:\n                - ALL\n"})

    repository.fix("web.yaml", rules=("no-privilege-escalation",))

    assert repository.files()["web.yaml"].count(b"            allowPrivilegeEscalation: false\n") == 3
