"""The listing in np-guard's format, line by line; what it says of whole cases is in ``test_np_guard_cases``."""

from __future__ import annotations

from pathlib import Path

import pytest

from .clusters import DENY, Run, deployment, policy, write


def test_lines_are_sorted_and_ranges_are_cut_where_blocks_begin_and_end(tmp_path: Path, run: Run) -> None:
    egress = "podSelector: {}\npolicyTypes: [Egress]\negress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]\n"
    folder = write(tmp_path, deployment("web"), policy("web", egress))

    assert run("topology", folder, "--format", "np-guard") == (
        0,
        "0.0.0.0-9.255.255.255[External] => shop/web[Deployment] : All Connections\n"
        "10.0.0.0-10.255.255.255[External] => shop/web[Deployment] : All Connections\n"
        "11.0.0.0-255.255.255.255[External] => shop/web[Deployment] : All Connections\n"
        "shop/web[Deployment] => 10.0.0.0-10.255.255.255[External] : All Connections\n",
        "",
    )


INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec: {defaultBackend: {service: {name: web, port: {name: http}}}}
"""
ROUTE = """\
apiVersion: route.openshift.io/v1
kind: Route
metadata: {name: web, namespace: shop}
spec: {to: {kind: Service, name: web}, port: {targetPort: http}}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}, {name: admin, port: 81, targetPort: admin}]
"""


@pytest.mark.parametrize("way_in", [INGRESS, ROUTE])
def test_what_leads_in_reaches_the_port_that_it_names(way_in: str, tmp_path: Path, run: Run) -> None:
    web = deployment("web", ports=[("http", 8080), ("admin", 8081)])
    allow = "podSelector: {}\ningress: [{from: [{namespaceSelector: {}}]}]\n"

    _, out, _ = run(
        "topology", write(tmp_path / "open", web, SERVICE, way_in, DENY, policy("in", allow)), "--format", "np-guard"
    )
    _, closed, _ = run("topology", write(tmp_path / "closed", web, SERVICE, way_in, DENY), "--format", "np-guard")

    assert out == "{ingress-controller} => shop/web[Deployment] : TCP 8080\n"
    assert closed == ""


def test_protocols_stand_in_the_order_of_the_alphabet(tmp_path: Path, run: Run) -> None:
    ports = "[{port: 80}, {port: 82, endPort: 90}, {protocol: UDP, port: 53}, {protocol: SCTP}]"
    allow = f"podSelector: {{}}\ningress: [{{from: [{{podSelector: {{}}}}], ports: {ports}}}]\negress: [{{}}]\n"
    folder = write(tmp_path, deployment("a"), deployment("b"), policy("all", allow))

    _, out, _ = run("topology", folder, "--format", "np-guard")

    assert "shop/a[Deployment] => shop/b[Deployment] : SCTP 1-65535,TCP 80,82-90,UDP 53\n" in out
