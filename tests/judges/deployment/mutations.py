"""Changes that must not go unnoticed: by the judge who looks, what is changed, what the judge says, and the change."""

from case import Case
from manifests import COMPONENT, Manifest

PROD, DEV, WITNESS = "overlays/prod", "overlays/dev", "witness"


def one(case: Case, folder: str, kind: str, name: str) -> Manifest:
    return next(m for m in case.manifests[folder] if (m["kind"], m["metadata"]["name"]) == (kind, name))


def deployment(case: Case, name: str = "capture", folder: str = PROD) -> dict:
    return one(case, folder, "Deployment", name)["spec"]


def pod(case: Case, name: str = "capture") -> dict:
    return deployment(case, name)["template"]["spec"]


def container(case: Case, name: str = "capture") -> dict:
    return pod(case, name)["containers"][0]


def policy(case: Case, name: str, folder: str = PROD) -> dict:
    return one(case, folder, "NetworkPolicy", name)["spec"]


def drop(case: Case, folder: str, kind: str, name: str) -> None:
    case.manifests[folder].remove(one(case, folder, kind, name))


def variable(case: Case, name: str, value: str, of: str = "capture") -> None:
    """Says another value in place of the variable's."""
    for entry in container(case, of)["env"]:
        if entry["name"] == name:
            entry.pop("valueFrom", None)
            entry["value"] = value


def budget(case: Case) -> dict:
    return one(case, PROD, "PodDisruptionBudget", "capture")["spec"]["selector"]["matchLabels"]


def hears(case: Case, namespace: dict) -> None:
    """Lets the consent service hear another namespace."""
    policy(case, "consent")["ingress"][0]["from"].append({"namespaceSelector": namespace})


def scaler(case: Case) -> dict:
    return one(case, PROD, "HorizontalPodAutoscaler", "capture")


def service(case: Case) -> dict:
    return one(case, PROD, "Service", "capture")["spec"]


def without(case: Case, name: str, of: str = "capture") -> None:
    container(case, of)["env"] = [entry for entry in container(case, of)["env"] if entry["name"] != name]


def text(case: Case, name: str, old: str, new: str) -> None:
    before = getattr(case, name)
    assert old in before, f"{name} no longer says {old!r}"
    setattr(case, name, before.replace(old, new, 1))


OBJECTS = [
    ("an unknown field", "replica", lambda c: deployment(c, "anchoring").update(replica=2)),
    ("a field of the wrong type", "replicas", lambda c: deployment(c, "anchoring").update(replicas="2")),
    ("an API that is gone", "does not know", lambda c: scaler(c).update(apiVersion="autoscaling/v2beta2")),
    ("an object twice", "made twice", lambda c: c.manifests[PROD].append(one(c, PROD, "Service", "capture"))),
    (
        "another secret",
        "neither made nor on the page",
        lambda c: pod(c)["volumes"][0]["secret"].update(secretName="keys"),
    ),
    (
        "another key of a secret",
        "has no uri",
        lambda c: container(c)["env"][3]["valueFrom"]["secretKeyRef"].update(key="uri"),
    ),
    (
        "a secret left on the page",
        "nobody refers to it",
        lambda c: text(c, "page", "| Secret | redis |", "| Secret | old | url | |\n| Secret | redis |"),
    ),
    ("a secret taken off the page", "Secret redis: neither", lambda c: text(c, "page", "| Secret | redis |", "| | |")),
    (
        "a secret in the repository",
        "in the repository",
        lambda c: c.manifests[PROD].append(one(c, DEV, "Secret", "redis")),
    ),
    ("no service account", "service account", lambda c: drop(c, PROD, "ServiceAccount", "capture")),
]

PODS = [
    ("root", "root", lambda c: pod(c)["securityContext"].update(runAsUser=0)),
    ("perhaps root", "root", lambda c: pod(c)["securityContext"].pop("runAsNonRoot")),
    ("a writable root", "root filesystem", lambda c: container(c)["securityContext"].pop("readOnlyRootFilesystem")),
    ("escalation", "gain privileges", lambda c: container(c)["securityContext"].update(allowPrivilegeEscalation=True)),
    ("a privileged container", "gain privileges", lambda c: container(c)["securityContext"].update(privileged=True)),
    (
        "a capability",
        "capabilities",
        lambda c: container(c)["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
    ),
    ("no seccomp", "seccomp", lambda c: pod(c)["securityContext"].pop("seccompProfile")),
    ("no limits", "requests or limits", lambda c: container(c)["resources"].pop("limits")),
    ("no memory request", "requests or limits", lambda c: container(c)["resources"]["requests"].pop("memory")),
    ("the latest image", "not pinned", lambda c: container(c).update(image="registry.example.org/trialseal:latest")),
    (
        "an image without a tag",
        "not pinned",
        lambda c: container(c).update(image="registry.example.org:5000/trialseal"),
    ),
    ("no liveness probe", "not watched", lambda c: container(c).pop("livenessProbe")),
    ("a probe that meets TLS", "right port", lambda c: container(c)["readinessProbe"]["grpc"].update(port=7403)),
    ("a database that restarts pods", "right question", lambda c: container(c)["livenessProbe"]["grpc"].pop("service")),
    ("an API token", "API token", lambda c: pod(c).update(automountServiceAccountToken=True)),
    ("the node's network", "namespaces", lambda c: pod(c).update(hostNetwork=True)),
    ("the node's files", "node's files", lambda c: pod(c)["volumes"].append({"name": "x", "hostPath": {"path": "/"}})),
    ("a secret that anybody reads", "everybody", lambda c: pod(c)["volumes"][0]["secret"].update(defaultMode=0o444)),
    ("a volume without a bound", "without a bound", lambda c: pod(c)["volumes"].append({"name": "x", "emptyDir": {}})),
    ("no disruption budget", "disruption budget", lambda c: drop(c, PROD, "PodDisruptionBudget", "capture")),
    ("another's disruption budget", "disruption budget", lambda c: budget(c).update({COMPONENT: "consent"})),
    ("a shared node", "share a node", lambda c: pod(c)["topologySpreadConstraints"].pop(0)),
    ("a gap at an upgrade", "gap", lambda c: deployment(c)["strategy"]["rollingUpdate"].update(maxUnavailable=1)),
    ("no time to drain", "drain", lambda c: pod(c).update(terminationGracePeriodSeconds=5)),
    (
        "two witnesses of one memory",
        "one pod",
        lambda c: one(c, DEV, "StatefulSet", "witness-cro")["spec"].update(replicas=2),
    ),
    ("two numbers of replicas", "number of its own", lambda c: deployment(c).update(replicas=2)),
    ("an autoscaler of nothing", "no target", lambda c: scaler(c)["spec"]["scaleTargetRef"].update(name="captures")),
    ("one replica in production", "fewer than two", lambda c: deployment(c, "anchoring").update(replicas=1)),
    (
        "a namespace that lets all in",
        "restricted",
        lambda c: one(c, PROD, "Namespace", "trialseal")["metadata"]["labels"].clear(),
    ),
]

NETWORK = [
    ("no default deny", "nothing refuses", lambda c: drop(c, PROD, "NetworkPolicy", "default-deny")),
    ("default deny one way", "nothing refuses", lambda c: policy(c, "default-deny").update(policyTypes=["Ingress"])),
    (
        "a call more",
        "enrollment is called by consent at 7403",
        lambda c: policy(c, "consent")["egress"][0]["ports"].append({"port": 7403}),
    ),
    (
        "a call to anywhere",
        "anyone is called by capture",
        lambda c: policy(c, "capture")["egress"].append({"ports": [{"port": 443}]}),
    ),
    ("any port", "every port", lambda c: policy(c, "capture")["egress"][0].pop("ports")),
    (
        "a caller more",
        "consent is heard by monitoring",
        lambda c: hears(c, {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}),
    ),
    ("every namespace", "every namespace", lambda c: hears(c, {})),
    ("a caller less", "no policy lets it", lambda c: policy(c, "capture")["ingress"][0]["from"].pop(0)),
    (
        "no way to the databases",
        "postgres is called by migration",
        lambda c: drop(c, PROD, "NetworkPolicy", "postgres-callers"),
    ),
    (
        "a call taken off the page",
        "not in the table",
        lambda c: text(c, "page", "| capture | consent | 7402 |", "| | | 7402 |"),
    ),
    (
        "a call that no flag allows",
        "disagree",
        lambda c: text(c, "page", "| consent | objects |", "| enrollment | objects |"),
    ),
]

TOLD = [
    ("an unknown subcommand", "no subcommand", lambda c: container(c).update(args=["captures"])),
    ("an unknown flag", "no flag --verbose", lambda c: container(c)["args"].append("--verbose")),
    (
        "an unknown variable",
        "does not read",
        lambda c: container(c)["env"].append({"name": "TRIALSEAL_ANCHORING", "value": "x"}),
    ),
    ("a flag that is missing", "must be told --consent", lambda c: without(c, "TRIALSEAL_CONSENT")),
    ("no certificate", "without certificates", lambda c: without(c, "TRIALSEAL_TLS_KEY")),
    ("another's port", "listens at", lambda c: variable(c, "TRIALSEAL_LISTEN", "0.0.0.0:7402")),
    ("a call in clear", "calls consent at http:", lambda c: variable(c, "TRIALSEAL_CONSENT", "http://consent:7402")),
    (
        "a call to the wrong port",
        "calls consent at",
        lambda c: variable(c, "TRIALSEAL_CONSENT", "https://consent:7401"),
    ),
    (
        "a file that is not mounted",
        "nothing is mounted",
        lambda c: variable(c, "TRIALSEAL_TLS_CA", "/etc/trialseal/ca.crt"),
    ),
    (
        "a file that the secret has not",
        "nothing is mounted",
        lambda c: variable(c, "TRIALSEAL_TLS_CA", "/etc/trialseal/tls/ca.pem"),
    ),
    ("a volume that is not mounted", "nothing is mounted", lambda c: container(c)["volumeMounts"].pop(0)),
    ("a service where nobody listens", "nobody listens", lambda c: service(c)["ports"][0].update(port=7404)),
    ("a service of nobody", "nobody listens", lambda c: service(c)["selector"].update(x="y")),
    ("a service that pins connections", "headless", lambda c: service(c).pop("clusterIP")),
    (
        "a key that init does not make",
        "not what init makes",
        lambda c: text(c, "page", "service.token, chain.key", "service.token, chain.key, other.key"),
    ),
]

IMAGES = [
    ("another Rust", "does not build with Rust", lambda c: text(c, "dockerfile", "rust:1.95.0-", "rust:1.94.0-")),
    ("a base that moves", "not pinned", lambda c: text(c, "dockerfile", "FROM scratch", "FROM debian:stable-slim")),
    ("a shell", "has a shell", lambda c: text(c, "dockerfile", "FROM scratch", "FROM debian:12.11-slim")),
    ("root by default", "runs as root", lambda c: text(c, "dockerfile", "USER 65532:65532", "USER root")),
    ("versions of the day", "Cargo.lock", lambda c: text(c, "dockerfile", "--locked", "")),
    ("a program for one process", "a deployment needs", lambda c: text(c, "dockerfile", "--features full", "")),
    ("a Dockerfile that hadolint faults", "DL3", lambda c: text(c, "dockerfile", "WORKDIR /src", "WORKDIR src")),
    (
        "a build without its sources",
        "keeps docs/RANDOMISATION.md out",
        lambda c: text(c, "dockerignore", "!docs/RANDOMISATION.md\n", ""),
    ),
    ("keys in the build", "lets everything in", lambda c: text(c, "dockerignore", "\n*\n", "\n")),
    ("a library of unknown version", "whose version", lambda c: text(c, "dockerfile", "libc6 ", "")),
    (
        "compose: an unknown field",
        "compose.yaml: $",
        lambda c: text(c, "compose", "  read_only: true", "  readonly: true"),
    ),
    ("compose: a writable root", "root filesystem", lambda c: text(c, "compose", "  read_only: true\n", "")),
    (
        "compose: a secret said",
        "says the secret",
        lambda c: text(c, "compose", "${POSTGRES_PASSWORD}@postgres/vault", "hunter2@postgres/vault"),
    ),
    (
        "compose: an image that moves",
        "not pinned",
        lambda c: text(c, "compose", "redis:7.4.2-bookworm", "redis:latest"),
    ),
    (
        "compose: an unknown variable",
        "does not read",
        lambda c: text(c, "compose", "TRIALSEAL_VAULT_DATABASE", "TRIALSEAL_VAULT"),
    ),
    (
        "compose: a key that init does not make",
        "nothing is mounted",
        lambda c: text(c, "compose", "/etc/trialseal/keys/witness-cro", "/etc/trialseal/keys/cro"),
    ),
    (
        "compose: a certificate that pki does not make",
        "nothing is mounted",
        lambda c: text(c, "compose", "/etc/trialseal/pki/capture.pem", "/etc/trialseal/pki/captures.pem"),
    ),
    (
        "compose: waiting in vain",
        "waits in vain",
        lambda c: text(c, "compose", "redis: { condition: service_healthy }", "rediss: { condition: service_healthy }"),
    ),
    (
        "compose: open to other machines",
        "other machines",
        lambda c: text(c, "compose", '"127.0.0.1:7401:7401"', '"7401:7401"'),
    ),
]

CHANGES = {"objects": OBJECTS, "pods": PODS, "network": NETWORK, "told": TOLD, "images": IMAGES}
