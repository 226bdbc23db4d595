"""The Dockerfile and compose.yaml, read and not run."""

import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from io import BytesIO
from pathlib import Path

import yaml
from dockerfile_parse import DockerfileParser

from manifests import Loader
from pods import pinned
from program import Process, Program, judge

BIN = Path(sys.executable).parent


def findings(command: list[str | Path]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@cache
def linted(root: Path, text: str) -> list[str]:
    (file := root / "target" / "judged.Dockerfile").write_text(text, encoding="utf-8")
    found = json.loads(findings([BIN / "hadolint", "--no-fail", "--format", "json", file]))
    return [f"Dockerfile: line {one['line']}: {one['code']} {one['message']}" for one in found]


@cache
def schema(root: Path, text: str) -> list[str]:
    (file := root / "target" / "judged.compose.yaml").write_text(text, encoding="utf-8")
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "--output-format", "json", file]
    return [f"compose.yaml: {one['path']}: {one['message']}" for one in json.loads(findings(command)).get("errors", [])]


def dockerfile(root: Path, text: str) -> list[str]:
    """Pinned to our toolchain, small, and of nobody with rights."""
    with open(root / "rust-toolchain.toml", "rb") as toolchain:
        channel = tomllib.load(toolchain)["toolchain"]["channel"]
    stages = DockerfileParser(fileobj=BytesIO(text.encode())).structure
    last = max(place for place, step in enumerate(stages) if step["instruction"] == "FROM")
    bases = [step["value"].split()[0] for step in stages if step["instruction"] == "FROM"]
    final = {step["instruction"]: step["value"] for step in stages[last:]}
    build = " ".join(step["value"] for step in stages[:last])
    rules = {
        f"does not build with Rust {channel}": bases[0].startswith(f"rust:{channel}-"),
        "has a base that is not pinned": all(base == "scratch" or pinned(base) for base in bases),
        "builds other versions than Cargo.lock's": "cargo build --release --locked" in build,
        "leaves out what a deployment needs": "--features full" in build,
        "runs as root": re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", final.get("USER", "")) is not None,
        "has a shell": bases[-1] == "scratch" and "RUN" not in final,
        "does not start the program": final.get("ENTRYPOINT") == '["/usr/local/bin/trialseal"]',
    }
    return linted(root, text) + [f"Dockerfile: {why}" for why, holds in rules.items() if not holds]


def context(root: Path, ignore: str) -> list[str]:
    """What the build reads is in the build context, and nothing else is."""
    lines = [line for line in ignore.splitlines() if line and not line.startswith("#")]
    allowed = [line[1:] for line in lines if line.startswith("!")]
    wrong = [] if lines and lines[0] == "*" else [".dockerignore: lets everything in"]
    sources = [file for top in ("libs", "services") for file in (root / top).rglob("*.rs")]
    read = {root / name for name in ("Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "proto")}
    for source in (file for file in sources if "tests" not in file.relative_to(root).parts):
        names = re.findall(r"include_(?:str|bytes)!\(\"([^\"]+)\"\)", source.read_text(encoding="utf-8"))
        read |= {(source.parent / name).resolve() for name in names}
    for file in [*read, *sources]:
        name = file.relative_to(root)
        if not any(name.is_relative_to(one) for one in allowed):
            wrong.append(f".dockerignore: keeps {name} out, which the build reads")
    return wrong


@cache
def libraries(program: str, text: str) -> list[str]:
    """The program names no library of a package that the image does not note."""
    linked = findings(["ldd", program])
    if not linked:
        return []  # linked statically
    noted = set(re.search(r"for package in ([^;]+);", text)[1].split())
    wrong = []
    for library in re.findall(r"(/[^ ]+) \(", linked):
        names = {Path(library), Path(library).resolve(), Path("/usr" + library)}
        owners = {
            line.partition(":")[0] for name in names for line in findings(["dpkg-query", "--search", name]).splitlines()
        }
        if not owners & noted:
            wrong.append(f"Dockerfile: {library} is of {owners}, whose version the image does not note")
    return wrong


def service(name: str, one: dict) -> list[str]:
    """A service of ours gives up what a pod gives up."""
    rules = {
        "runs as root": re.fullmatch(r"[1-9]\d*:[1-9]\d*", one.get("user", "")) is not None,
        "writes its root filesystem": one.get("read_only") is True,
        "keeps capabilities": one.get("cap_drop") == ["ALL"],
        "may gain privileges": "no-new-privileges:true" in one.get("security_opt", []),
        "may wait for ever to end": one["command"][0] in ("init", "pki", "migrate") or "stop_grace_period" in one,
        "is reached from other machines": all(port.startswith("127.0.0.1:") for port in one.get("ports", [])),
    }
    return [f"compose.yaml: {name} {why}" for why, holds in rules.items() if not holds]


def secret(name: str, one: dict) -> list[str]:
    """No value of a secret is written down."""
    wrong = []
    for variable, value in one.get("environment", {}).items():
        password = re.search(r"://[^:/@]*:([^@]*)@", str(value))
        literal = password[1] if password else value if re.search(r"PASSWORD|SECRET", variable) else None
        if literal is not None and not re.fullmatch(r"\$\{\w+(:\?[^}]*)?\}", literal):
            wrong.append(f"compose.yaml: {name} says the secret {variable}")
    return wrong


def process(name: str, one: dict, made: Path) -> Process:
    """What it mounts, where the volume of `init` and `pki` holds what they made in `made`."""
    holds = {str(file.relative_to(made)) for file in made.rglob("*")}
    files = {}
    for volume in one.get("volumes", []):
        source, target = volume.split(":")[:2]
        files[target] = holds if source == "deployment" and one["command"][0] not in ("init", "pki") else None
    return Process(f"compose.yaml: {name}", one["command"], one.get("environment", {}), files)


def compose(root: Path, text: str, program: Program, made: Path) -> list[str]:
    wrong = list(schema(root, text))
    if wrong:
        return wrong
    whole = yaml.load(text, Loader)
    services = whole["services"]
    for name, one in services.items():
        wrong += secret(name, one)
        if not pinned(one["image"]):
            wrong.append(f"compose.yaml: {name} runs an image that is not pinned")
        for other, when in one.get("depends_on", {}).items():
            watched = when["condition"] != "service_healthy" or "healthcheck" in services.get(other, {})
            if other not in services or not watched:
                wrong.append(f"compose.yaml: {name} waits in vain for {other}")
        if one["image"].startswith("trialseal:"):
            wrong += service(name, one) + judge([process(name, one, made)], program)
    return wrong
