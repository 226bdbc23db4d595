"""What every pod gives up, and how every service is watched, spread and replaced."""

from manifests import Manifest, Workload, of_kind, selects, workloads

METRICS = 9464


def pinned(image: str) -> bool:
    """By digest, or by a tag that names a version."""
    if "@sha256:" in image:
        return True
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return bool(colon) and any(character.isdigit() for character in tag)


def container(work: Workload, one: dict) -> list[str]:
    pod, own = work.pod.get("securityContext", {}), one.get("securityContext", {})
    limits = one.get("resources", {})
    rules = {
        "may run as root": own.get("runAsNonRoot", pod.get("runAsNonRoot")) is True
        and own.get("runAsUser", pod.get("runAsUser", 0)) > 0,
        "writes its root filesystem": own.get("readOnlyRootFilesystem") is True,
        "may gain privileges": own.get("allowPrivilegeEscalation") is False and not own.get("privileged"),
        "keeps capabilities": own.get("capabilities") == {"drop": ["ALL"]},
        "has no seccomp profile": own.get("seccompProfile", pod.get("seccompProfile")) == {"type": "RuntimeDefault"},
        "has no requests or limits": all(
            set(limits.get(kind, {})) >= {"cpu", "memory"} for kind in ("requests", "limits")
        ),
        "runs an image that is not pinned": pinned(one["image"]),
    }
    if work.kind != "Job":
        rules["is not watched"] = {"startupProbe", "livenessProbe", "readinessProbe"} <= set(one)
    return [f"{work.name}: {one['name']} {wrong}" for wrong, holds in rules.items() if not holds]


def pod(work: Workload) -> list[str]:
    spec = work.pod
    rules = {
        "gets an API token": spec.get("automountServiceAccountToken") is False,
        "gets variables from services": spec.get("enableServiceLinks") is False,
        "shares the node's namespaces": not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")),
        "mounts the node's files": not any("hostPath" in volume for volume in spec.get("volumes", [])),
        "mounts secrets for everybody to read": all(
            volume["secret"].get("defaultMode") == 0o440 for volume in spec.get("volumes", []) if "secret" in volume
        ),
        "has an emptyDir without a bound": all(
            "sizeLimit" in volume["emptyDir"] for volume in spec.get("volumes", []) if "emptyDir" in volume
        ),
    }
    return [f"{work.name}: {wrong}" for wrong, holds in rules.items() if not holds]


def probes(work: Workload, one: dict) -> list[str]:
    """The kubelet speaks no TLS: only the metrics' port answers it. What restarts a pod asks only whether it lives."""
    ports = {port["name"]: port["containerPort"] for port in one["ports"]}
    wanted = {"startupProbe": "live", "livenessProbe": "live", "readinessProbe": ""}
    wrong = [
        f"{work.name}: its {probe} does not ask the right question at the right port"
        for probe, service in wanted.items()
        if {"service": "", **one.get(probe, {}).get("grpc", {})} != {"port": METRICS, "service": service}
    ]
    return wrong + ([] if ports.get("metrics") == METRICS else [f"{work.name}: no port for metrics"])


def availability(work: Workload, manifests: list[Manifest]) -> list[str]:
    budgets = of_kind(manifests, "PodDisruptionBudget")
    grace = work.pod.get("terminationGracePeriodSeconds", 30)
    wait = work.pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    rules = {
        "has not exactly one disruption budget": sum(selects(b["spec"]["selector"], work.labels) for b in budgets) == 1,
        "has no time to drain": grace >= wait + 30,
        "is selected by other labels than it has": selects(work.spec["selector"], work.labels),
    }
    if work.kind == "Deployment":
        spread = work.pod.get("topologySpreadConstraints", [])
        strict = [one for one in spread if one["whenUnsatisfiable"] == "DoNotSchedule"]
        rules |= {
            "may share a node with its replica": any(
                one["topologyKey"] == "kubernetes.io/hostname"
                and selects(one["labelSelector"], work.labels)
                and "app.kubernetes.io/component" in one["matchLabelKeys"]
                for one in strict
            ),
            "is replaced with a gap": work.spec.get("strategy", {}).get("rollingUpdate", {}).get("maxUnavailable") == 0,
        }
    if work.component == "witness":
        rules["is not one pod with a volume of its own"] = (
            work.kind == "StatefulSet" and work.spec["replicas"] == 1 and "volumeClaimTemplates" in work.spec
        )
    return [f"{work.name}: {wrong}" for wrong, holds in rules.items() if not holds]


def scaling(manifests: list[Manifest]) -> list[str]:
    deployments = {one["metadata"]["name"]: one for one in of_kind(manifests, "Deployment")}
    wrong = []
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler"):
        name, spec = scaler["metadata"]["name"], scaler["spec"]
        target = deployments.get(spec["scaleTargetRef"]["name"])
        if target is None or "replicas" in target["spec"]:
            wrong.append(f"HorizontalPodAutoscaler {name}: no target, or one with a number of its own")
        if spec["minReplicas"] < 2:
            wrong.append(f"HorizontalPodAutoscaler {name}: fewer than two")
    return wrong


def judge(manifests: list[Manifest]) -> list[str]:
    wrong = scaling(manifests)
    for work in workloads(manifests):
        wrong += pod(work)
        for one in work.containers:
            wrong += container(work, one)
        if work.serves:
            wrong += probes(work, work.pod["containers"][0]) + availability(work, manifests)
    return wrong


def production(manifests: list[Manifest]) -> list[str]:
    """Two replicas of everything, in a namespace that refuses pods with privileges."""
    scaled = {
        one["metadata"]["name"]: one["spec"]["minReplicas"] for one in of_kind(manifests, "HorizontalPodAutoscaler")
    }
    wrong = []
    for one in of_kind(manifests, "Deployment"):
        name = one["metadata"]["name"]
        if one["spec"].get("replicas", scaled.get(name, 1)) < 2:
            wrong.append(f"Deployment {name}: fewer than two")
    levels = [
        one["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") for one in of_kind(manifests, "Namespace")
    ]
    return wrong + ([] if levels == ["restricted"] else ["Namespace: does not enforce the standard restricted"])
