"""topology.yaml: what each form means, and that whatever cannot be understood is one sentence with its line."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from policy.connectivity.topology import Cluster, FlowEnd, FlowPort, NamedPort, Topology
from policy.connectivity.topology_file import load_topology
from policy.errors import SettingsError

REPOSITORY = Path(__file__).parents[2]

WHOLE = """\
outside:
  internet: {cidrs: [0.0.0.0/0, "::/0"]}
  dns: {namespace: kube-system, labels: {k8s-app: kube-dns}, ports: {dns: "UDP 53, TCP 53"}}
  monitoring: {namespace: monitoring}
cluster: {pods: [10.244.0.0/16, "fd00:10::/56"]}
flows:
  - "* -> dns : dns"
  - "web, shop/worker -> StatefulSet/db, shop/StatefulSet/cache : TCP 5432, http"
  - "web -> internet : all"
"""


def load(text: str, folder: Path) -> Topology:
    file = folder / "topology.yaml"
    file.write_text(text, encoding="utf-8")
    return load_topology(file, "topology.yaml")


def test_every_part_is_read(tmp_path: Path) -> None:
    topology = load(WHOLE, tmp_path)

    assert topology.file == "topology.yaml"
    assert topology.outside["internet"].cidrs == (ip_network("0.0.0.0/0"), ip_network("::/0"))
    dns = topology.outside["dns"]
    assert (dns.namespace, dns.labels, dns.place.line) == ("kube-system", {"k8s-app": "kube-dns"}, 3)
    assert dns.ports == (NamedPort("dns", "UDP", 53), NamedPort("dns", "TCP", 53))
    assert (topology.outside["monitoring"].namespace, topology.outside["monitoring"].labels) == ("monitoring", {})
    assert topology.cluster == Cluster(pods=(ip_network("10.244.0.0/16"), ip_network("fd00:10::/56")))


def test_a_flow_names_both_ends_and_the_ports_each_with_its_place(tmp_path: Path) -> None:
    flow = load(WHOLE, tmp_path).flows[1]

    assert [(end.namespace, end.kind, end.name) for end in flow.sources] == [("", "", "web"), ("shop", "", "worker")]
    assert [(end.namespace, end.kind, end.name) for end in flow.destinations] == [
        ("", "StatefulSet", "db"),
        ("shop", "StatefulSet", "cache"),
    ]
    line = WHOLE.splitlines()[7]
    parts: list[FlowEnd | FlowPort] = [*flow.sources, *flow.destinations, *flow.ports]
    for part in parts:
        assert part.place.line == 8
        assert part.place.end_column is not None
        assert line[part.place.column - 1 : part.place.end_column - 1] == str(part)


@pytest.mark.parametrize(
    ("written", "protocol", "name", "first", "last", "of_service"),
    [
        ("http", "", "http", 0, 0, False),
        ("UDP syslog", "UDP", "syslog", 0, 0, False),
        ("8080", "TCP", "", 8080, 8080, False),
        ("TCP 5432", "TCP", "", 5432, 5432, False),
        ("SCTP 1-65535", "SCTP", "", 1, 65535, False),
        ("TCP 8000-8100", "TCP", "", 8000, 8100, False),
        ("UDP", "UDP", "", 1, 65535, False),
        ("all", "", "", 1, 65535, False),
        ("service/http", "", "http", 0, 0, True),
        ("service/80", "TCP", "", 80, 80, True),
        ("UDP service/53", "UDP", "", 53, 53, True),
    ],
)
def test_a_port(
    written: str, protocol: str, name: str, first: int, last: int, of_service: bool, tmp_path: Path
) -> None:
    (port,) = load(f'flows: ["a -> b : {written}"]', tmp_path).flows[0].ports

    assert (port.protocol, port.name, port.first, port.last, port.of_service) == (
        protocol,
        name,
        first,
        last,
        of_service,
    )
    assert port.is_all == (written == "all")


@pytest.mark.parametrize("written", ["http", "UDP syslog", "TCP 5432", "TCP 8-9", "UDP", "all", "service/http"])
def test_a_port_prints_as_it_is_written(written: str, tmp_path: Path) -> None:
    (port,) = load(f'flows: ["a -> b : {written}"]', tmp_path).flows[0].ports

    assert str(port) == written


def test_no_flow_is_a_contract_too(tmp_path: Path) -> None:
    assert load("flows: []\n", tmp_path).flows == ()


def test_the_silent_are_named_like_ends_of_flows(tmp_path: Path) -> None:
    found = load("flows: []\nsilent: [mailer, a/b, Job/c]\n", tmp_path).silent

    assert [str(end) for end in found] == ["mailer", "a/b", "Job/c"]
    assert found[0].place.line == 2


BAD = {
    "everybody silent": (
        "flows: []\nsilent:\n  - '*'\n",
        "3: * is no workload: silent are single workloads of Git",
    ),
    "silent outside": (
        "outside:\n  dns: {namespace: a}\nflows: []\nsilent: [dns]\n",
        "4: dns is no workload: silent are single workloads of Git",
    ),
    "silent, and in a flow": (
        'flows:\n  - "a -> b : http"\nsilent: [b]\n',
        "3: b is not silent: line 2 states 'a -> b : http'",
    ),
    "a key that is not known": ("flow: []\n", "1: unknown key flow in topology.yaml; did you mean flows?"),
    "no flows": ("outside: {}\n", "there is no list of flows"),
    "nothing at all": ("# later\n", "holds no documents, where one is read"),
    "two documents": ("flows: []\n---\nflows: []\n", "holds 2 documents, where one is read"),
    "a list": ("- a\n", "1: topology.yaml must be a mapping"),
    "no YAML": ("flows: [\n", "2: not valid YAML: did not find expected node content"),
    "a name stated twice": (
        "outside:\n  dns: {namespace: a}\n  dns: {namespace: b}\nflows: []\n",
        "3: dns stands here a second time, first in line 2",
    ),
    "an unknown key of what is outside": (
        "outside:\n  dns:\n    label: {a: b}\nflows: []\n",
        "3: unknown key label in outside dns; did you mean labels?",
    ),
    "a name that none can have": (
        "outside:\n  The Internet: {cidrs: [0.0.0.0/0]}\nflows: []\n",
        "2: 'The Internet' is no name: lower case letters, digits, - and .",
    ),
    "neither pods nor addresses": (
        "outside:\n  dns: {labels: {k8s-app: kube-dns}}\nflows: []\n",
        "2: outside dns needs a namespace, or cidrs",
    ),
    "pods and addresses": (
        "outside:\n  dns: {namespace: kube-system, cidrs: [10.0.0.0/8]}\nflows: []\n",
        "2: outside dns is either addresses (cidrs) or pods (namespace, labels, ports)",
    ),
    "addresses with the labels of a namespace": (
        "outside:\n  net: {cidrs: [10.0.0.0/8], namespaceLabels: {a: b}}\nflows: []\n",
        "2: outside net is either addresses (cidrs) or pods (namespace, labels, ports)",
    ),
    "a label of a namespace that is a number": (
        "outside:\n  dns: {namespace: a, namespaceLabels: {b: 1}}\nflows: []\n",
        "2: label b of the namespace of dns must be a string",
    ),
    "a label that is a number": (
        "outside:\n  dns: {namespace: a, labels: {b: 1}}\nflows: []\n",
        "2: label b of dns must be a string",
    ),
    "a port of the outside without protocol": (
        "outside:\n  dns: {namespace: a, ports: {dns: dns}}\nflows: []\n",
        '2: port dns of dns needs a protocol and a number, like "UDP 53"',
    ),
    "an address that is none": (
        "cluster:\n  pods:\n    - 10.244.0.0/33\nflows: []\n",
        "3: '10.244.0.0/33' is no address range like 10.0.0.0/8 or 2001:db8::/32",
    ),
    "an address within its range": (
        "cluster: {pods: [10.244.0.7/16]}\nflows: []\n",
        "1: 10.244.0.7/16 is not how the range is written: 10.244.0.0/16",
    ),
    "an address without its length": (
        "cluster: {nodes: [192.0.2.7]}\nflows: []\n",
        "1: 192.0.2.7 is not how the range is written: 192.0.2.7/32",
    ),
    "ranges that are no list": (
        "cluster: {pods: 10.0.0.0/8}\nflows: []\n",
        "1: pods of the cluster must be a list",
    ),
    "flows that are no list": ('flows: "a -> b : 80"\n', "1: flows must be a list"),
    "no quotes": (
        "flows:\n  - a -> b : 80\n",
        '2: a flow is written "source -> destination : port", with the quotes: without them YAML reads a mapping',
    ),
    "no arrow": (
        'flows:\n  - "a to b : 80"\n',
        "2: a flow is written \"source -> destination : port\", not 'a to b : 80'",
    ),
    "two arrows": (
        'flows:\n  - "a -> b -> c : 80"\n',
        "2: a flow is written \"source -> destination : port\", not 'a -> b -> c : 80'",
    ),
    "no port": (
        'flows:\n  - "a -> b"\n',
        "2: a flow is written \"source -> destination : port\", not 'a -> b'",
    ),
    "nobody": (
        'flows:\n  - "a, -> b : 80"\n',
        "2: 'a, -> b : 80' has nothing where a name or a port belongs",
    ),
    "a name with a blank": (
        'flows:\n  - "the web -> b : 80"\n',
        "2: 'the web' is no name of a workload: name, namespace/name or Kind/name",
    ),
    "every workload of a namespace": (
        'flows:\n  - "shop/* -> b : 80"\n',
        "2: * is every workload, of whatever namespace; there is no shop/*",
    ),
    "a protocol that is none": (
        'flows:\n  - "a -> b : ICMP 8"\n',
        "2: ICMP is no protocol; there are TCP, UDP, SCTP",
    ),
    "a protocol in small letters": (
        'flows:\n  - "a -> b : tcp"\n',
        "2: a protocol stands before its port, in capitals: not 'tcp'",
    ),
    "a port that is too large": (
        'flows:\n  - "a -> b : 70000"\n',
        "2: ports are numbers from 1 to 65535, and a range goes up",
    ),
    "a range that goes down": (
        'flows:\n  - "a -> b : TCP 90-80"\n',
        "2: ports are numbers from 1 to 65535, and a range goes up",
    ),
    "a range of a Service": (
        'flows:\n  - "a -> b : service/80-90"\n',
        "2: a Service has single ports: state each of them, or the range of its pods' ports",
    ),
    "a port's name that is none": (
        'flows:\n  - "a -> b : Http"\n',
        "2: 'Http' is no port: the name of a port is lower case letters, digits, and single hyphens between them",
    ),
    "three words for a port": (
        'flows:\n  - "a -> b : TCP 80 90"\n',
        '2: \'TCP 80 90\' is no port: write "http", "8080", "TCP 5432", "TCP 8000-8100" or "all"',
    ),
    "a flow stated twice": (
        'flows:\n  - "a, b -> c : 80"\n  - "b -> c : TCP 80"\n',
        "3: b -> c : TCP 80 is stated already in line 2",
    ),
    "a name of a port that the outside does not state": (
        'outside: {dns: {namespace: a, ports: {dns: "UDP 53"}}}\nflows:\n  - "a -> dns : dnss"\n',
        "3: dns has no port dnss; did you mean dns? Else state a protocol and a number, or the port under outside",
    ),
    "a name of a port of addresses": (
        'outside: {internet: {cidrs: [0.0.0.0/0]}}\nflows:\n  - "a -> internet : https"\n',
        "3: internet has no port https: state a protocol and a number",
    ),
    "a Service of the outside": (
        'outside: {dns: {namespace: a}}\nflows:\n  - "a -> dns : service/53"\n',
        "3: dns is not in Git and so has no Service: state the port of its pods",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_understood_is_one_sentence(name: str, tmp_path: Path) -> None:
    text, said = BAD[name]

    with pytest.raises(SettingsError) as error:
        load(text, tmp_path)

    separator = ":" if said[0].isdigit() else ": "
    assert str(error.value) == f"topology.yaml{separator}{said}"


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"topology.yaml: cannot be read: No such file or directory"):
        load_topology(tmp_path / "topology.yaml", "topology.yaml")


def test_the_contract_of_this_repository_is_read() -> None:
    topology = load_topology(REPOSITORY / "topology.yaml", "topology.yaml")

    assert "order-service -> redis : TCP 6379" in [flow.text for flow in topology.flows]
    assert set(topology.outside) == {"api-server", "dns", "ingress-controller", "internet"}
