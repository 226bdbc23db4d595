"""Every object fits the API, and whatever it refers to exists."""

import json
from collections import defaultdict
from functools import cache

import kubernetes_validate

from manifests import Manifest, of_kind, table, workloads

# The oldest version the manifests are for, and the newest that the schemas know.
VERSIONS = ["1.30", "1.37"]
HEADER = ["kind", "name", "keys", "what it is"]


@cache
def schema(manifest: str) -> list[str]:
    """What is wrong with a manifest, given as JSON, by the schemas."""
    one, wrong = json.loads(manifest), []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            place = ".".join(str(step) for step in error.path)
            wrong.append(f"{one['kind']} {one['metadata']['name']}: Kubernetes {version}: {place}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError:
            wrong.append(f"{one['kind']}: Kubernetes {version} does not know {one['apiVersion']}")
    return wrong


def schemas(manifests: list[Manifest]) -> list[str]:
    wrong = [fault for manifest in manifests for fault in schema(json.dumps(manifest, sort_keys=True))]
    keys = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    return wrong + [f"{kind} {name}: made twice" for kind, name in sorted(set(keys)) if keys.count((kind, name)) > 1]


def listed(page: str) -> dict[tuple[str, str], set[str]]:
    """What the operator makes, from the page: the keys by kind and name."""
    made: dict[tuple[str, str], set[str]] = {}
    for kind, name, keys, _ in table(page, HEADER):
        made[kind, name] = {key.strip() for key in keys.split(",")}
    return made


def rendered(manifests: list[Manifest]) -> dict[tuple[str, str], set[str]]:
    kinds = (*of_kind(manifests, "Secret"), *of_kind(manifests, "ConfigMap"))
    return {(one["kind"], one["metadata"]["name"]): set(one.get("data", {})) for one in kinds}


def references(manifests: list[Manifest]) -> dict[tuple[str, str], set[str]]:
    """The secrets and config maps referred to, with the keys named, by whom is left out."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for work in workloads(manifests):
        for volume in work.pod.get("volumes", []):
            if "secret" in volume:
                found["Secret", volume["secret"]["secretName"]] |= set()
            if "configMap" in volume:
                found["ConfigMap", volume["configMap"]["name"]] |= set()
        for container in work.containers:
            for source in container.get("envFrom", []):
                kind = "Secret" if "secretRef" in source else "ConfigMap"
                found[kind, next(iter(source.values()))["name"]] |= set()
            for variable in container.get("env", []):
                for key, reference in variable.get("valueFrom", {}).items():
                    if key != "fieldRef":
                        kind = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}[key]
                        found[kind, reference["name"]].add(reference["key"])
    return found


def known(manifests: list[Manifest], page: str) -> list[str]:
    """Whatever is referred to is made here or stands on the page."""
    wrong, made, operators = [], rendered(manifests), listed(page)
    for (kind, name), keys in references(manifests).items():
        there = made.get((kind, name), operators.get((kind, name)))
        if there is None:
            wrong.append(f"{kind} {name}: neither made nor on the page")
        elif keys - there:
            wrong.append(f"{kind} {name}: has no {', '.join(sorted(keys - there))}")
    accounts = {one["metadata"]["name"] for one in of_kind(manifests, "ServiceAccount")}
    for work in workloads(manifests):
        if work.ours and work.pod.get("serviceAccountName") not in accounts:
            wrong.append(f"{work.name}: its service account is not made")
    return wrong


def needless(by_name: dict[str, list[Manifest]], page: str) -> list[str]:
    """The page lists nothing that nobody refers to, and `prod` makes no secret itself."""
    used = {
        key for name in ("overlays/prod", "overlays/prod/migrations", "witness") for key in references(by_name[name])
    }
    wrong = [f"{kind} {name}: on the page, and nobody refers to it" for kind, name in set(listed(page)) - used]
    made = of_kind(by_name["overlays/prod"], "Secret")
    return wrong + [f"Secret {one['metadata']['name']}: in the repository" for one in made]
