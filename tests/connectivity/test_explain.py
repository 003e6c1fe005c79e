"""``policy explain`` answers why, rule by rule, with the line that decides; names may be begun or misspelt."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy.cli import main

from .clusters import DENY, Run, deployment, policy, write
from .test_show import BROKEN, CILIUM, DB_FROM_WEB, NOT_UNDERSTOOD, SHOP, WEB_TO_DB

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def lines_of(file: str, text: str) -> list[int]:
    return [number for number, line in enumerate((REPOSITORY / file).read_text().splitlines(), 1) if text in line]


def test_why_it_can(run: Run) -> None:
    code, out, _ = run("explain", "prod", "order-service", "redis", "6379")

    lines = out.splitlines()
    (egress,) = [line for line in lines if "lets it through: to" in line]
    (ingress,) = [line for line in lines if "lets it through: from" in line]
    (stated,) = lines_of("topology.yaml", "order-service -> redis")
    assert code == 0
    assert lines[0] == "order-service can reach redis on TCP 6379."
    assert egress.startswith("    base/order-service/network-policy.yaml:")
    assert int(egress.split(":")[1]) + 3 in lines_of("base/order-service/network-policy.yaml", "name: redis")
    assert ingress.startswith("    base/redis/network-policy.yaml:")
    assert "names: order-service can resolve them" in lines
    assert f"contract: topology.yaml:{stated}: order-service -> redis : TCP 6379" in lines


def test_why_it_cannot(run: Run) -> None:
    code, out, _ = run("explain", "prod", "user-service", "redis")

    assert code == 1
    assert out.startswith("user-service cannot reach redis.\n")
    assert "egress of user-service: refused\n" in out
    assert "ingress of redis: refused\n" in out
    assert "is not about user-service: from pods with app.kubernetes.io/name=order-service, on TCP 6379\n" in out
    assert "contract: topology.yaml states no flow from user-service to redis\n" in out


def test_a_patch_of_an_overlay_is_named_where_it_stands(run: Run) -> None:
    _, out, _ = run("explain", "staging", "credentials", "api-server")

    (line,) = lines_of("overlays/staging/api-server-address.yaml", "- to:")
    assert f"overlays/staging/api-server-address.yaml:{line}: lets it through: to 192.0.2.10/32, on TCP 6443" in out


@pytest.mark.parametrize(
    ("source", "destination", "port", "code", "verdict"),
    [
        ("order-service", "redis", None, 0, "order-service can reach redis on TCP 6379."),
        ("order-s", "red", "TCP 6379", 0, "order-service can reach redis on TCP 6379."),
        ("Deployment/order-service", "ecommerce/redis", None, 0, "order-service can reach redis on TCP 6379."),
        ("order-service", "redis", "6380", 1, "order-service cannot reach redis on TCP 6380."),
        (
            "order-service",
            "redis",
            "TCP 6379-6380",
            1,
            "order-service cannot reach redis on TCP 6380, only on TCP 6379.",
        ),
        ("ingress-controller", "frontend", "http", 0, "ingress-controller can reach frontend on TCP 8080."),
        ("order-service", "203.0.113.7", "443", 1, "order-service cannot reach 203.0.113.7 on TCP 443."),
        ("credentials", "192.0.2.10", "6443", 0, "credentials can reach 192.0.2.10 on TCP 6443."),
        ("frontend", "2001:db8::1", None, 1, "frontend cannot reach 2001:db8::1."),
        (
            "redis",
            "redis",
            None,
            1,
            "redis is both ends: a pod always reaches itself; its pods do not surely reach each other.",
        ),
    ],
)
def test_the_verdict(source: str, destination: str, port: str | None, code: int, verdict: str, run: Run) -> None:
    said = run("explain", "prod", source, destination, *([port] if port else []))
    assert run("explain", "prod", source, destination, *(port or "").split()) == said  # without quotes

    assert said[0] == code
    assert said[1].splitlines()[0] == verdict


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("o", "redis"), "o may be ecommerce/Deployment/order-service, ecommerce/StatefulSet/orders-db"),
        (("rediss", "frontend"), "there is no workload rediss, and nothing outside is called so; did you mean redis?"),
        (("dns", "internet"), "neither dns nor internet is in Git: no policy of these manifests is about them"),
        (("frontend", "redis", "tcp"), "a protocol stands before its port, in capitals: not 'tcp'"),
        (
            ("frontend", "redis", "service/redis"),
            "service/redis is a Service's port; policies act on the port of the pods: name that",
        ),
        (
            ("frontend", "redis", "http"),
            "redis has no port http: name a protocol and a number, like TCP 8080",
        ),
    ],
)
def test_what_is_not_understood_is_one_sentence(arguments: tuple[str, ...], said: str, run: Run) -> None:
    assert run("explain", "prod", *arguments) == (2, "", f"policy: {said}\n")


def test_several_overlays_are_too_many(run: Run) -> None:
    code, _, error = run("explain", "overlays", "frontend", "redis")

    assert code == 2
    assert error == "policy: these are 3 overlays (dev, prod, staging): name one\n"


def test_an_open_workload_is_said_to_be_open(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, deployment("web"), deployment("db"))

    _, out, _ = run("explain", folder, "web", "db")

    assert out == (
        "web can reach db on every port.\n"
        "\n"
        "egress of web: no policy selects it, so it is open\n"
        "ingress of db: no policy selects it, so it is open\n"
        "names: web can resolve them\n"
    )


def test_one_side_alone_is_not_enough(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, *SHOP[:3], policy("web", WEB_TO_DB))

    code, out, _ = run("explain", folder, "web", "db", "5432")

    assert code == 1
    assert "egress of web: allowed on TCP 5432\n" in out
    assert "ingress of db: refused\n" in out
    assert "names: web cannot resolve names: it does not reach the DNS on TCP 53, UDP 53\n" in out


def test_the_right_peer_on_another_port_is_said_so(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, *SHOP)

    _, out, _ = run("explain", folder, "web", "db", "80")

    assert out.startswith("web cannot reach db on TCP 80.\n")
    assert "egress of web: refused\n" in out
    assert "is about db, but about other ports: to pods with app=db, on TCP 5432\n" in out
    assert "ingress of db: allowed on TCP 80\n" in out


def test_a_pod_on_the_network_of_its_node_is_said_to_be_so(tmp_path: Path, run: Run) -> None:
    host = deployment("agent").replace(
        "    spec:\n      containers", "    spec:\n      hostNetwork: true\n      containers"
    )
    folder = write(tmp_path, host, deployment("db"), DENY, policy("db", DB_FROM_WEB))

    _, out, _ = run("explain", folder, "agent", "db")

    assert "egress of agent: on the network of its node, where no policy holds\n" in out


def test_what_the_answer_leaves_out_stands_below_the_verdict(tmp_path: Path, run: Run) -> None:
    folder = write(
        tmp_path, *SHOP, CILIUM, BROKEN, CILIUM.replace("shop", "other"), deployment("api", namespace="other")
    )

    code, out, error = run("explain", folder, "web", "db")

    verdict, foreign, broken, rest = out.split("\n", 3)
    assert (code, error) == (0, "")
    assert verdict == "web can reach db on TCP 5432."
    assert foreign.startswith("left out: ")
    assert foreign.endswith(NOT_UNDERSTOOD)
    assert broken.endswith("; it is taken to admit nobody")
    assert "left out" not in rest


def test_a_policy_of_another_kind_is_left_out_of_what_pods_of_one_workload_may_do(tmp_path: Path, run: Run) -> None:
    _, out, _ = run("explain", write(tmp_path, *SHOP, CILIUM), "web", "web")

    assert NOT_UNDERSTOOD in out


def test_a_port_is_not_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["explain", "prod", "web"])

    assert capsys.readouterr().err.endswith("the following arguments are required: DST\n")
