"""The network policies pass exactly the calls of the table in docs/KUBERNETES.md."""

from collections.abc import Iterator

from manifests import Manifest, Workload, of_kind, selects, table, workloads

HEADER = ["caller", "called", "port", "outside", "what for"]
# Namespaces that policies name, by the label they name them by.
NAMESPACES = {
    ("kubernetes.io/metadata.name", "monitoring"): "monitoring",
    ("kubernetes.io/metadata.name", "kube-system"): "dns",
    ("trialseal.example/clients", "true"): "clients",
}

Call = tuple[str, str, int]


def calls(page: str, overlay: str) -> set[Call]:
    """The calls of the table, with the ports that hold in the overlay."""
    found = set()
    for caller, called, port, outside, _ in table(page, HEADER):
        ports = outside if outside and overlay == "overlays/prod" else port
        found |= {(caller, called, int(one)) for one in ports.split(",")}
    return found


def parties(peer: dict, policy: str, pods: list[Workload]) -> set[str]:
    """Whom a peer of a rule stands for."""
    if "ipBlock" in peer:
        return {policy.removesuffix("-callers")}
    if "namespaceSelector" in peer:
        labels = peer["namespaceSelector"].get("matchLabels", {})
        return {NAMESPACES.get(label, f"namespaces {label}") for label in labels.items()} or {"every namespace"}
    return {pod.component for pod in pods if selects(peer["podSelector"], pod.labels)}


def rules(manifests: list[Manifest], direction: str, peers: str) -> Iterator[tuple[str, str, int | str]]:
    """Each of ours, whom a policy lets it hear (`ingress`) or call (`egress`), and the port."""
    pods = workloads(manifests)
    for policy in of_kind(manifests, "NetworkPolicy"):
        subjects = {pod.component for pod in pods if selects(policy["spec"]["podSelector"], pod.labels)}
        for rule in policy["spec"].get(direction, []):
            others = {one for peer in rule.get(peers, []) for one in parties(peer, policy["metadata"]["name"], pods)}
            ports = [port["port"] for port in rule.get("ports", [])] or ["every port"]
            for port in ports:
                yield from ((subject, other, port) for subject in subjects for other in others or {"anyone"})


def closed(manifests: list[Manifest]) -> bool:
    """Whether everything is refused that no policy lets through."""
    return any(
        policy["spec"]["podSelector"] == {}
        and set(policy["spec"].get("policyTypes", [])) == {"Ingress", "Egress"}
        and not policy["spec"].get("ingress")
        and not policy["spec"].get("egress")
        for policy in of_kind(manifests, "NetworkPolicy")
    )


def judge(manifests: list[Manifest], page: str, overlay: str) -> list[str]:
    wrong = [] if closed(manifests) else [f"{overlay}: nothing refuses what no policy names"]
    inside = {pod.component for pod in workloads(manifests)}
    wanted = calls(page, overlay)
    public = {(called, port) for caller, called, port in wanted if caller == "anyone"}
    hears = {call for call in wanted if call[1] in inside and (call[0] == "anyone" or call[1:] not in public)}
    heard = {(other, subject, port) for subject, other, port in rules(manifests, "ingress", "from")}
    sides = {
        "is heard": (heard, hears),
        "is called": (set(rules(manifests, "egress", "to")), {call for call in wanted if call[0] in inside}),
    }
    for side, (found, asked) in sides.items():
        for caller, called, port in sorted(found ^ asked, key=str):
            why = "is not in the table" if (caller, called, port) in found else "is in the table, and no policy lets it"
            wrong.append(f"{overlay}: {called} {side} by {caller} at {port}: {why}")
    return wrong


def flags(page: str, services: dict[str, set[str]]) -> list[str]:
    """The table is what the program's flags allow, and the other way round."""
    wanted = calls(page, "overlays/dev")
    of_flag = {
        "--enrollment": "enrollment",
        "--consent": "consent",
        "--capture": "capture",
        "--redis": "redis",
        "--objects": "objects",
    }
    wrong = []
    for service, has in services.items():
        for flag, called in of_flag.items():
            in_table = any(call[:2] == (service, called) for call in wanted)
            if (flag in has) != in_table:
                wrong.append(f"{service}: {flag} and the table disagree about calls to {called}")
    return wrong
