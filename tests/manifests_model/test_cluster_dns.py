"""What the names in a value mean to a pod of namespace shop."""

from __future__ import annotations

import pytest

from policy.manifests.cluster_dns import ClusterDns
from policy.manifests.decode import resources_of
from policy.manifests.hostnames import hosts_in_value
from policy.manifests.index import Index
from policy.manifests.load import load_documents

MANIFESTS = """
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: redis, namespace: shop}
spec: {clusterIP: None, selector: {app: redis}, ports: [{port: 6379, targetPort: 6380}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: redis, namespace: shop}
spec:
  serviceName: redis
  ordinals: {start: 2}
  template:
    metadata: {labels: {app: redis}}
    spec: {containers: [{name: app, ports: [{containerPort: 16379}]}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: redis, namespace: shop}
spec: {scaleTargetRef: {kind: StatefulSet, name: redis}, maxReplicas: 3}
---
apiVersion: v1
kind: Pod
metadata: {name: x, namespace: shop}
spec: {hostname: leader, subdomain: redis, containers: [{name: app}]}
---
apiVersion: v1
kind: Pod
metadata: {name: y, namespace: shop}
spec: {hostname: half, containers: [{name: app}]}
---
apiVersion: v1
kind: Service
metadata: {name: postgres, namespace: databases}
spec: {ports: [{port: 5432}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: empty}
"""

NAMES = [
    ("api", "FOUND api"),
    ("api:80", "FOUND api"),
    ("api:8080", "FOUND api, but Service/api serves 80"),
    ("apis", "WRONG there is no Service apis (api)"),
    ("postgres", "WRONG there is no Service postgres"),
    ("postgres.databases", "FOUND postgres"),
    ("postgres.databases:5433", "FOUND postgres, but Service/postgres serves 5432"),
    ("postgre.databases", "WRONG there is no Service postgre in namespace databases (postgres)"),
    ("postgres.empty", "WRONG there is no Service postgres in namespace empty"),
    ("api.shop", "FOUND api"),
    ("api.prod", "WRONG namespace prod is not in this overlay, api is in the pod's own (api)"),
    ("postgres.prod.svc", "WRONG namespace prod is not in this overlay, postgres is in databases"),
    ("api.de", "OUTSIDE"),
    ("api.d1", "WRONG namespace d1 is not in this overlay, api is in the pod's own (api)"),
    ("api.com", "OUTSIDE"),
    ("other.prod", "OUTSIDE"),
    ("other.prod.svc", "UNKNOWN namespace prod is not in this overlay"),
    ("kubernetes.default", "OUTSIDE"),
    ("kubernetes.default.svc:443", "FOUND"),
    ("api.shop.svc", "FOUND api"),
    ("api.shop.svc.cluster.local", "FOUND api"),
    ("api.shop.svc.example.com", "OUTSIDE"),
    ("api.svc", "WRONG it lacks the namespace before .svc (api)"),
    ("a.b.c.d", "OUTSIDE"),
    ("a.b.api.shop.svc", "OUTSIDE"),
    # pods
    ("redis-2.redis", "FOUND redis"),
    ("redis-4.redis:16379", "FOUND redis"),
    ("redis-2.redis.shop", "FOUND redis"),
    ("redis-2.redis.shop.svc.cluster.local:6379", "FOUND redis"),
    ("redis-2.redis.shop:6381", "FOUND redis, but Service/redis serves 6379"),
    ("redis-1.redis", "WRONG the pods of StatefulSet/redis are redis-2 to redis-4"),
    ("redis-5.redis", "WRONG the pods of StatefulSet/redis are redis-2 to redis-4"),
    ("redis-2.api", "WRONG the serviceName of StatefulSet/redis is redis, not api"),
    ("redis-2.redis.example", "OUTSIDE"),
    ("leader.redis", "FOUND redis"),
    ("half.redis", "WRONG Service/redis has no pod half"),
    ("redis-2.rediss.shop.svc", "WRONG there is no Service rediss (redis)"),
    # a headless Service's name is that of its pods
    ("redis:6379", "FOUND redis"),
    ("redis:6380", "FOUND redis"),
    ("redis:16379", "FOUND redis"),
    ("redis:80", "FOUND redis, but Service/redis serves 6379"),
    # variables
    ("a${X}", "FOUND api"),
    ("b${X}", "OUTSIDE"),
    ("${X}.shop.svc", "FOUND api, redis"),
    ("b${X}.shop.svc", "WRONG there is no Service b*"),
    ("api.${NS}", "FOUND api"),
    ("apis.${NS}", "OUTSIDE"),
    ("api.${NS}.svc.${DOMAIN}", "FOUND api"),
    ("postgres.${NS}.svc", "FOUND postgres"),
    ("postgres.data${X}.svc", "FOUND postgres"),
    ("postgres.shop${X}.svc", "WRONG there is no Service postgres"),
    ("apis.${NS}.svc", "WRONG there is no Service apis (api)"),
    ("redis-${N}.redis:6379", "FOUND redis"),
    ("${X}.svc.cluster.local", "OUTSIDE"),
    ("${X}.prod.svc", "UNKNOWN namespace prod is not in this overlay"),
]


def index() -> Index:
    documents = load_documents(MANIFESTS, "test")
    return Index(resource for number, (_, one) in enumerate(documents) for resource in resources_of(one, number))


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_what_a_name_means(name: str, expected: str) -> None:
    dns = ClusterDns(index())
    (host,) = hosts_in_value("DB_HOST", name)

    found = dns.resolve(host, "shop")

    shown = f"{found.answer.name} {', '.join(service.name for service in found.services)}{found.reason}".strip()
    if found.suggestion:
        shown += f" ({found.suggestion})"
    wrong_port = dns.wrong_port(found, host.port) if host.port else None
    assert shown + (f", but {wrong_port}" if wrong_port else "") == expected


@pytest.mark.parametrize(("name", "expected"), [("api", True), ("redi", True), ("postgres", False), ("nothing", False)])
def test_names_that_look_like_a_service(name: str, expected: bool) -> None:
    (host,) = hosts_in_value("DB_HOST", name)

    assert ClusterDns(index()).is_near_a_service(host, "shop") is expected
