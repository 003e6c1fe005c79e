"""What a Git host tells Argo CD after a push, in GitHub's form: ``python -m cluster.webhook URL REPOSITORY``.

A post-receive hook: lines ``<before> <after> <ref>`` on standard input, in the folder of the bare repository.
https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.request

_NONE = "0" * 40
_SECONDS = 30


def payload(before: str, after: str, ref: str, repository: str, changed: list[str]) -> dict[str, object]:
    """The event of one pushed branch. By the changed paths Argo CD knows which Applications to look at."""
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "repository": {"html_url": repository.removesuffix(".git"), "default_branch": "main"},
        "commits": [{"id": after, "added": [], "removed": [], "modified": changed}],
    }


def changed_paths(before: str, after: str) -> list[str]:
    """The paths that differ between two commits of the repository in this folder; all of them if one is new."""
    which = ["ls-tree", "-r", after] if before == _NONE else ["diff-tree", "-r", before, after]
    done = subprocess.run(["git", *which, "--name-only", "-z"], capture_output=True, text=True, check=True)
    return [path for path in done.stdout.split("\0") if path]


def unverified() -> ssl.SSLContext:
    """For an Argo CD that made its certificate itself; what is told is only that somebody pushed."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def main(url: str, repository: str) -> None:
    """Tell every pushed branch. A push is not undone by it: if nobody answers, that is said."""
    for line in sys.stdin:
        before, after, ref = line.split()
        if after == _NONE or not ref.startswith("refs/heads/"):
            continue
        event = payload(before, after, ref, repository, changed_paths(before, after))
        headers = {"Content-Type": "application/json", "X-GitHub-Event": "push"}
        try:
            request = urllib.request.Request(url, json.dumps(event).encode(), headers)
            urllib.request.urlopen(request, timeout=_SECONDS, context=unverified())
        except OSError as error:
            print(f"Argo CD was not told, it looks by itself in minutes: {error}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
