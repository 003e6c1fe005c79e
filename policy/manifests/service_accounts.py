"""What a workload's ServiceAccount means for its pods: the token they get, and the roles bound to it.

Source: API reference of PodSpec and ServiceAccount (``automountServiceAccountToken``: the pod's goes before the
account's, true where neither is set), and the RBAC reference for how a subject names an account.
"""

from __future__ import annotations

import msgspec

from policy.findings import Field
from policy.manifests.index import Index
from policy.manifests.resources import RoleBinding, ServiceAccount
from policy.manifests.workloads import Workload

_EVERYBODY = frozenset({"system:serviceaccounts", "system:authenticated"})
_GROUP = "system:serviceaccounts:"
_USER = "system:serviceaccount:"


class Automount(msgspec.Struct, frozen=True):
    """Whether a workload's pods get a token, and the field that says so, or where it belongs if none does."""

    value: bool
    is_set: bool
    at: Field


def automount(workload: Workload, index: Index) -> Automount:
    """Whether the pods of a workload have the token of their ServiceAccount mounted."""
    of_pod = workload.pod.automount_service_account_token
    pod_field = workload.pod_field("automountServiceAccountToken")
    if of_pod is not None:
        return Automount(of_pod, True, pod_field)
    account = index.find(ServiceAccount, workload.namespace, workload.service_account)
    if account is None:
        return Automount(True, False, pod_field)
    of_account = account.spec.automount_service_account_token
    return Automount(of_account is not False, of_account is not None, account.field("automountServiceAccountToken"))


class BoundAccounts:
    """The ServiceAccounts that a RoleBinding or ClusterRoleBinding of the input gives a role."""

    def __init__(self, index: Index) -> None:
        self._accounts: set[tuple[str, str]] = set()
        self._namespaces: set[str] = set()
        self._everybody = False
        for binding in index.all(RoleBinding):
            for subject in binding.spec.subjects or ():
                if subject.kind == "ServiceAccount":
                    namespace = binding.namespace if subject.namespace is None else subject.namespace
                    self._accounts.add((namespace, subject.name))
                elif subject.kind == "Group":
                    self._add_group(subject.name)
                elif subject.kind == "User" and subject.name.startswith(_USER):
                    namespace, _, name = subject.name.removeprefix(_USER).partition(":")
                    self._accounts.add((namespace, name))

    def _add_group(self, group: str) -> None:
        if group in _EVERYBODY:
            self._everybody = True
        elif group.startswith(_GROUP):
            self._namespaces.add(group.removeprefix(_GROUP))

    def __contains__(self, account: tuple[str, str]) -> bool:
        """Whether an account, given by namespace and name, has a role."""
        return self._everybody or account[0] in self._namespaces or account in self._accounts
