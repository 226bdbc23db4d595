"""Judges k8s/, Dockerfile and compose.yaml without a cluster or a container engine.

Usage: python deployment ROOT K8S KUSTOMIZE TRIALSEAL, where ROOT is the repository and K8S a copy of its k8s/ in which
overlays/dev/secrets was made by `trialseal init` and `trialseal pki`.
Prints what is wrong, and for each change of mutations.py what was said to it, as JSON.
"""

import json
import sys
from pathlib import Path

from case import Case
from mutations import CHANGES


def main() -> None:
    root, k8s, kustomize, trialseal = sys.argv[1:]
    case = Case.read(Path(root), Path(k8s), kustomize, trialseal)
    wrong = sorted({fault for judge in case.judges() for fault in judge()})
    missed = {}
    for judge, changes in CHANGES.items():
        for name, expected, change in changes:
            broken = case.copy()
            change(broken)
            said = getattr(broken, judge)()
            if not any(expected in fault for fault in said):
                missed[name] = said
    print(
        json.dumps(
            {
                "rendered": len(case.manifests),
                "changes": sum(map(len, CHANGES.values())),
                "wrong": wrong,
                "missed": missed,
            }
        )
    )


main()
