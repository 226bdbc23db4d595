"""Kubernetes manifests as kustomize renders them, and what the judges ask of them."""

import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

PART = "app.kubernetes.io/part-of"
COMPONENT = "app.kubernetes.io/component"
COMPONENTS = ["autoscaling", "mtls", "network-policies", "telemetry"]
OVERLAYS = ["overlays/dev", "overlays/prod", "overlays/prod/migrations", "witness", "migrations"]

Manifest = dict


class Loader(yaml.SafeLoader):
    """Finds keys given twice, of which YAML parsers keep one without a word."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"twice: {sorted(twice)}", node.start_mark)
        return super().construct_mapping(node, deep)


def render(kustomize: str, folder: Path) -> list[Manifest]:
    done = subprocess.run([kustomize, "build", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{folder}: {done.stderr}")
    return list(yaml.load_all(done.stdout, Loader))


def combinations(kustomize: str, k8s: Path) -> Iterator[tuple[str, list[Manifest]]]:
    """The base with every choice of components."""
    choices = itertools.chain.from_iterable(itertools.combinations(COMPONENTS, size) for size in range(5))
    for chosen in choices:
        with tempfile.TemporaryDirectory(dir=k8s) as folder:
            kustomization = {
                "resources": ["../base"],
                "components": [f"../components/{name}" for name in chosen],
                "images": [{"name": "trialseal", "newTag": "0.0.0"}],
            }
            (Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")
            yield "+".join(["base", *chosen]), render(kustomize, Path(folder))


@dataclass
class Workload:
    """Something that makes pods."""

    manifest: Manifest

    @property
    def kind(self) -> str:
        return self.manifest["kind"]

    @property
    def name(self) -> str:
        return f"{self.kind} {self.manifest['metadata']['name']}"

    @property
    def spec(self) -> dict:
        return self.manifest["spec"]

    @property
    def labels(self) -> dict[str, str]:
        return self.spec["template"]["metadata"]["labels"]

    @property
    def pod(self) -> dict:
        return self.spec["template"]["spec"]

    @property
    def component(self) -> str:
        return self.labels[COMPONENT]

    @property
    def ours(self) -> bool:
        """Runs our program: not a stand-in of a development overlay."""
        return self.labels.get(PART) == "trialseal"

    @property
    def serves(self) -> bool:
        return self.ours and self.kind != "Job"

    @property
    def containers(self) -> list[dict]:
        return [*self.pod.get("initContainers", []), *self.pod["containers"]]


def workloads(manifests: list[Manifest]) -> list[Workload]:
    return [Workload(manifest) for manifest in manifests if "template" in manifest.get("spec", {})]


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def selects(selector: dict, labels: dict[str, str]) -> bool:
    """Whether a label selector selects: matchLabels, and matchExpressions with In."""
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    for expression in selector.get("matchExpressions", []):
        if expression["operator"] != "In":
            raise SystemExit(f"not judged: the operator {expression['operator']}")
        exact = exact and labels.get(expression["key"]) in expression["values"]
    return exact


def table(page: str, header: list[str]) -> list[list[str]]:
    """The rows of every table of a Markdown page with this header."""
    rows, inside = [], False
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells == header:
            inside = True
        elif inside and not all(set(cell) <= {"-"} for cell in cells):
            rows.append(cells)
    return rows
