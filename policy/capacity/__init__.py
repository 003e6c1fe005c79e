"""What a namespace is charged at its peak, exactly, against its quotas.

Peak means: every autoscaled workload at its maximum, everything else at its replicas, all Jobs running, and one
rollout under way, that of the Deployment whose surge weighs most. Pods that are being deleted are not counted a
second time.

``namespace.NamespacePeak`` answers ``demand(quota, key)``; ``verdicts.overruns`` compares with the quotas;
``remedy.cause`` says which field would have to be edited.
"""
