"""Everything that is judged, in memory, so that a change can be made to a copy."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import images
import network
import objects
import pods
import program
from manifests import OVERLAYS, Manifest, combinations, render

RECORDING = ("enrollment", "consent", "capture", "anchoring")


@dataclass
class Case:
    """The rendered manifests by folder, the page, and the files of the image."""

    root: Path
    made: Path  # what `trialseal init` and `trialseal pki` made
    program: program.Program
    manifests: dict[str, list[Manifest]]
    page: str
    dockerfile: str
    dockerignore: str
    compose: str

    @classmethod
    def read(cls, root: Path, k8s: Path, kustomize: str, trialseal: str) -> "Case":
        manifests = {name: render(kustomize, k8s / name) for name in OVERLAYS}
        manifests |= dict(combinations(kustomize, k8s))
        text = lambda name: (root / name).read_text(encoding="utf-8")  # noqa: E731
        (root / "target").mkdir(exist_ok=True)
        return cls(
            root,
            k8s / "overlays/dev/secrets",
            program.Program(trialseal),
            manifests,
            text("docs/KUBERNETES.md"),
            text("Dockerfile"),
            text(".dockerignore"),
            text("compose.yaml"),
        )

    def copy(self) -> "Case":
        return Case(**(vars(self) | {"manifests": copy.deepcopy(self.manifests)}))

    def judges(self) -> list[Callable[[], list[str]]]:
        return [self.objects, self.pods, self.network, self.told, self.images]

    def objects(self) -> list[str]:
        wrong = [fault for manifests in self.manifests.values() for fault in objects.schemas(manifests)]
        for name in ("overlays/dev", "overlays/prod", "overlays/prod/migrations", "witness"):
            wrong += [f"{name}: {fault}" for fault in objects.known(self.manifests[name], self.page)]
        return wrong + objects.needless(self.manifests, self.page)

    def pods(self) -> list[str]:
        judged = {
            name: manifests for name, manifests in self.manifests.items() if name not in ("migrations", "witness")
        }
        wrong = [f"{name}: {fault}" for name, manifests in judged.items() for fault in pods.judge(manifests)]
        return wrong + pods.production(self.manifests["overlays/prod"])

    def network(self) -> list[str]:
        """The migrations of `prod` are rendered apart, and run under the same policies."""
        prod = [*self.manifests["overlays/prod"], *self.manifests["overlays/prod/migrations"]]
        wrong = network.judge(self.manifests["overlays/dev"], self.page, "overlays/dev")
        wrong += network.judge(prod, self.page, "overlays/prod")
        return wrong + network.flags(self.page, {name: self.program.help(name).flags for name in RECORDING})

    def told(self) -> list[str]:
        wrong = program.keys(self.page, self.made)
        for name in ("overlays/dev", "overlays/prod", "overlays/prod/migrations", "witness"):
            processes = program.of_manifests(self.manifests[name], self.page)
            wrong += [f"{name}: {fault}" for fault in program.judge(processes, self.program)]
            wrong += [f"{name}: {fault}" for fault in program.ports(self.manifests[name])]
        return wrong

    def images(self) -> list[str]:
        return [
            *images.dockerfile(self.root, self.dockerfile),
            *images.context(self.root, self.dockerignore),
            *images.libraries(self.program.path, self.dockerfile),
            *images.compose(self.root, self.compose, self.program, self.made),
        ]
