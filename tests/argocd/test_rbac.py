"""Who may do what, asked of Argo CD's own command line; and our own look at each line of the policies."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from policy.argocd.rbac import ACTIONS, IN_PROJECT, Problem, policy_problems
from tests.argocd.conftest import Argocd, Render
from tests.argocd.test_tree import VALUES

DEVELOPERS, RELEASERS, OPERATORS = VALUES["developers"], VALUES["releasers"], VALUES["operators"]
STRANGERS = "example:strangers"
DEV, STAGING, PROD, SELF = (
    "ecommerce-dev/ecommerce-dev",
    "ecommerce-staging/ecommerce-staging",
    "ecommerce-prod/ecommerce-prod",
    "argocd/argocd",
)
RESTART = "action/apps/Deployment/restart"

Question = tuple[str, str, str, str]
"""Who, which action, of which resource, on which object."""

ALLOWED: list[Question] = [
    (DEVELOPERS, "get", "applications", DEV),
    (DEVELOPERS, "sync", "applications", DEV),
    (DEVELOPERS, RESTART, "applications", DEV),
    (DEVELOPERS, "action/apps/StatefulSet/restart", "applications", DEV),
    (DEVELOPERS, "sync", "applications", STAGING),
    (DEVELOPERS, "get", "applications", PROD),
    (DEVELOPERS, "get", "projects", "ecommerce-prod"),
    (RELEASERS, "get", "applications", PROD),
    (RELEASERS, "sync", "applications", PROD),
    (RELEASERS, RESTART, "applications", PROD),
    (OPERATORS, "get", "applications", DEV),
    (OPERATORS, "sync", "applications", SELF),
    (OPERATORS, "sync", "applications", PROD),
    (OPERATORS, "update", "applications", PROD),
    (OPERATORS, RESTART, "applications", STAGING),
    (OPERATORS, "get", "projects", "default"),
    (OPERATORS, "get", "clusters", "https://kubernetes.default.svc"),
    (OPERATORS, "get", "repositories", VALUES["repoURL"]),
    ("admin", "delete", "applications", PROD),
]
DENIED: list[Question] = [
    (DEVELOPERS, "sync", "applications", PROD),
    (DEVELOPERS, RESTART, "applications", PROD),
    (DEVELOPERS, "override", "applications", DEV),
    (DEVELOPERS, "rollback", "applications", DEV),
    (DEVELOPERS, "delete", "applications", DEV),
    (DEVELOPERS, "delete//Pod/ecommerce-dev/any", "applications", DEV),
    (DEVELOPERS, "action/apps/Deployment/scale", "applications", DEV),
    (DEVELOPERS, "get", "applications", SELF),
    (DEVELOPERS, "create", "exec", DEV),
    (DEVELOPERS, "update", "projects", "ecommerce-dev"),
    (RELEASERS, "sync", "applications", DEV),
    (RELEASERS, "sync", "applications", SELF),
    (RELEASERS, "action/apps/StatefulSet/restart", "applications", PROD),
    (RELEASERS, "override", "applications", PROD),
    (RELEASERS, "rollback", "applications", PROD),
    (RELEASERS, "update", "applications", PROD),
    (OPERATORS, "create", "applications", PROD),
    (OPERATORS, "delete", "applications", PROD),
    (OPERATORS, "override", "applications", PROD),
    (OPERATORS, "rollback", "applications", PROD),
    (OPERATORS, "create", "exec", PROD),
    (OPERATORS, "update", "projects", "default"),
    (OPERATORS, "update", "clusters", "https://kubernetes.default.svc"),
    (STRANGERS, "get", "applications", DEV),
    (STRANGERS, "get", "projects", "ecommerce-dev"),
]


@pytest.fixture(scope="session")
def policies(tree: Render, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """argocd-rbac-cm with what Argo CD adds to it at run time: the roles of the projects.

    https://argo-cd.readthedocs.io/en/stable/user-guide/projects/#project-roles
    """
    settings = tree.of_kind("ConfigMap")["argocd-rbac-cm"]
    path = tmp_path_factory.mktemp("rbac") / "argocd-rbac-cm.yaml"
    data = {**settings["data"], "policy.projects.csv": "\n".join(_project_policies(tree))}
    path.write_text(yaml.safe_dump({**settings, "data": data}), encoding="utf-8")
    return path


def _project_policies(tree: Render) -> Iterable[str]:
    for name, project in tree.of_kind("AppProject").items():
        for role in project["spec"].get("roles", []):
            subject = f"proj:{name}:{role['name']}"
            yield f"p, {subject}, projects, get, {name}, allow"
            yield from role["policies"]
            yield from (f"g, {group}, {subject}" for group in role["groups"])


@pytest.fixture(scope="session")
def answers(argocd: Argocd, policies: Path) -> dict[Question, str]:
    """All questions at once: most of a call is the start of the command."""

    def ask(question: Question) -> str:
        done = argocd("rbac", "can", *question, "--policy-file", policies)
        return done.stdout.strip() or done.stderr.strip()

    questions = [*ALLOWED, *DENIED]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(questions, pool.map(ask, questions), strict=True))


@pytest.mark.parametrize("question", ALLOWED, ids=" ".join)
def test_allowed(question: Question, answers: dict[Question, str]) -> None:
    assert answers[question] == "Yes"


@pytest.mark.parametrize("question", DENIED, ids=" ".join)
def test_denied(question: Question, answers: dict[Question, str]) -> None:
    assert answers[question] == "No"


def test_argo_cd_reads_the_policies(argocd: Argocd, policies: Path) -> None:
    assert argocd("rbac", "validate", "--policy-file", policies).stdout == "Policy is valid.\n"


def test_every_policy_can_take_effect(tree: Render) -> None:
    known = [f"{item['spec']['project']}/{name}" for name, item in tree.of_kind("Application").items()]
    settings = tree.of_kind("ConfigMap")["argocd-rbac-cm"]["data"]
    text = "\n".join(settings[key] for key in sorted(settings) if key.startswith("policy.") and key.endswith(".csv"))
    assert policy_problems(text, applications=known) == []
    roles = 0
    for name, project in tree.of_kind("AppProject").items():
        for role in project["spec"].get("roles", []):
            roles += 1
            lines = "\n".join(role["policies"])
            assert policy_problems(lines, project=name, role=role["name"], applications=known) == []
    assert roles == 4


def test_who_is_only_logged_in_may_do_nothing(tree: Render) -> None:
    settings = tree.of_kind("ConfigMap")["argocd-rbac-cm"]["data"]
    assert settings["policy.default"] == ""
    assert settings["scopes"] == "[groups]"


NONSENSE = "p, role:dev, aplications, gett, anything, alow\ng, someone, role:dev\n"


def test_what_argo_cd_calls_valid_and_is_not(argocd: Argocd, tmp_path: Path) -> None:
    path = tmp_path / "policy.csv"
    path.write_text(NONSENSE, encoding="utf-8")
    assert argocd("rbac", "validate", "--policy-file", path).stdout == "Policy is valid.\n"
    assert [problem.line for problem in policy_problems(NONSENSE)] == [1, 1]


APPLICATIONS = ["shop/shop"]
OF_APPLICATIONS = "known are action, create, delete, get, override, rollback, sync, update"
PROBLEMS: dict[str, tuple[str, list[str]]] = {
    "a resource that there is not": (
        "p, user, aplications, get, shop/*, allow",
        [f"there is no resource aplications: known are {', '.join(sorted(ACTIONS))}"],
    ),
    "an action that there is not": (
        "p, user, logs, gett, shop/*, allow",
        ["logs has no action gett: known are get"],
    ),
    "an action of another resource": (
        "p, user, projects, sync, shop, allow",
        ["projects has no action sync: known are create, delete, get, update"],
    ),
    "an action without what it acts on": (
        "p, user, applications, action, shop/*, allow",
        [f"applications has no action action: {OF_APPLICATIONS}"],
    ),
    "a path that is too short": (
        "p, user, applications, delete/apps/Deployment, shop/*, allow",
        [f"applications has no action delete/apps/Deployment: {OF_APPLICATIONS}"],
    ),
    "an effect that there is not": (
        "p, user, applications, get, shop/*, alow",
        ["the effect is alow, want allow or deny"],
    ),
    "an object without a project": (
        "p, user, applications, get, shop, allow",
        ["the object is shop, want <project>/<application>"],
    ),
    "an object that there is not": (
        "p, user, applications, get, shp/*, allow",
        ["the object shp/* matches no application: known are shop/shop"],
    ),
    "too few fields": (
        "p, user, applications, get, shop/*",
        [
            "`p, user, applications, get, shop/*` is neither "
            "`p, subject, resource, action, object, effect` nor `g, member, role`"
        ],
    ),
    "a role that nobody has": (
        "p, role:dev, applications, get, shop/*, allow",
        ["nobody has role:dev: bind a group to it by a `g` line"],
    ),
    "a role without a policy": (
        "g, org:team, role:dev",
        ["role:dev is given to org:team and has no policy"],
    ),
    "a group without a role": (
        "p, org:team, applications, get, shop/*, allow",
        ["org:team is a group without a `g` line, so its policies are passed over"],
    ),
}
SOUND = """\
# A comment, and an empty line.

p, role:dev, applications, get, shop/*, allow
p, role:dev, applications, action/apps/Deployment/restart, shop/shop, allow
p, role:dev, applications, action/*, */*, deny
p, role:dev, applications, delete//Pod/*/*, */*, allow
p, role:dev, applications, update/*, *, allow
p, role:dev, logs, get, shop/shop, allow
p, role:dev, accounts, get, someone, allow
p, local-user, *, *, *, allow
g, org:team, role:dev
g, role:dev, role:readonly
g, org:auditors, proj:shop:auditor
"""


@pytest.mark.parametrize("case", PROBLEMS)
def test_a_policy_that_never_takes_effect(case: str) -> None:
    text, messages = PROBLEMS[case]
    assert policy_problems(text, applications=APPLICATIONS) == [Problem(1, message) for message in messages]


def test_policies_that_take_effect() -> None:
    assert policy_problems(SOUND, applications=APPLICATIONS) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p, proj:shop:dev, applications, get, shop/*, allow", "the subject is proj:shop:dev, want proj:shop:release"),
        (
            "p, proj:shop:release, projects, get, shop, allow",
            f"there is no resource projects: known are {', '.join(sorted(IN_PROJECT))}",
        ),
        (
            "p, proj:shop:release, applications, get, */*, allow",
            "the object is */*, want shop/… as the role is of that project",
        ),
        ("g, org:team, proj:shop:release", "a role of an AppProject is bound by its `groups`, not by a `g` line"),
    ],
)
def test_a_policy_of_a_project_that_never_takes_effect(text: str, message: str) -> None:
    assert policy_problems(text, project="shop", role="release") == [Problem(1, message)]


def test_argo_cd_knows_each_resource_and_action(argocd: Argocd, tmp_path: Path) -> None:
    """By its strict look at a question. Left out is `accounts`: it refuses the `get` that its own server asks for."""
    path = tmp_path / "policy.csv"
    path.write_text("p, someone, applications, get, */*, deny\n", encoding="utf-8")
    pairs = [
        (action, resource) for resource, actions in ACTIONS.items() if resource != "accounts" for action in actions
    ]
    with ThreadPoolExecutor(2) as pool:
        said = pool.map(
            lambda pair: argocd("rbac", "can", "someone", *pair, "any/any", "--policy-file", path).stdout, pairs
        )
    assert {pair for pair, answer in zip(pairs, said, strict=True) if answer != "No\n"} == set()
