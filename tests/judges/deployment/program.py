"""Whatever a process is told, the program knows: subcommands, flags, variables, ports, files."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from manifests import Manifest, Workload, of_kind, workloads
from objects import listed, rendered

# Variables that libraries read by convention: the AWS SDKs', PostgreSQL's, OpenTelemetry's, the log's.
CONVENTIONS = {
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP"),
    *("PGSSLROOTCERT", "PGSSLMODE"),
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "RUST_LOG"),
}
TLS = {"TRIALSEAL_TLS_CERT", "TRIALSEAL_TLS_KEY", "TRIALSEAL_TLS_CA"}
PORTS = {"enrollment": 7401, "consent": 7402, "capture": 7403, "anchoring": 7404, "witness": 7405}


@dataclass
class Help:
    """What `trialseal <subcommand> --help` says."""

    flags: set[str]
    variables: dict[str, str]  # by flag
    required: set[str]


class Program:
    """The program, asked for help once per subcommand."""

    def __init__(self, path: str) -> None:
        self.path, self.known = path, {}
        commands = self.ask([]).partition("Commands:")[2].partition("\n\n")[0]
        self.commands = set(re.findall(r"^  ([a-z][a-z-]*)", commands, re.MULTILINE))

    def ask(self, arguments: list[str]) -> str:
        # Wide enough that nothing is folded.
        command = [self.path, *arguments, "--help"]
        return subprocess.run(command, capture_output=True, text=True, check=True, env={"COLUMNS": "1000"}).stdout

    def help(self, command: str) -> Help:
        if command not in self.known:
            text = self.ask([command])
            usage = re.sub(r"\[[^]]*\]", "", re.search(r"^Usage: (.*)$", text, re.MULTILINE)[1])
            options = re.findall(r"^ +(?:-\w, )?(--[a-z-]+)(.*(?:\n(?! +-).*)*)", text, re.MULTILINE)
            variables = {flag: found[1] for flag, rest in options if (found := re.search(r"\[env: (\w+)", rest))}
            self.known[command] = Help({flag for flag, _ in options}, variables, set(re.findall(r"--[a-z-]+", usage)))
        return self.known[command]


@dataclass
class Process:
    """One process as a manifest describes it."""

    name: str
    arguments: list[str]
    variables: dict[str, str] = field(default_factory=dict)  # empty where the value is a secret
    files: dict[str, set[str] | None] = field(default_factory=dict)  # by mount point; None: anything may be there


def of_workload(work: Workload, made: dict[tuple[str, str], set[str]], values: dict[tuple[str, str], dict]) -> Process:
    one = work.pod["containers"][0]
    volumes = {volume["name"]: volume for volume in work.pod.get("volumes", [])}
    process = Process(work.name, one.get("args", []))
    for source in one.get("envFrom", []):
        if "configMapRef" in source:
            process.variables |= values.get(("ConfigMap", source["configMapRef"]["name"]), {})
        else:
            process.variables |= dict.fromkeys(made.get(("Secret", source["secretRef"]["name"]), set()), "")
    for variable in one.get("env", []):
        reference = variable.get("valueFrom", {}).get("configMapKeyRef")
        value = values.get(("ConfigMap", reference["name"]), {}).get(reference["key"], "") if reference else ""
        process.variables[variable["name"]] = variable.get("value", value)
    for mount in one.get("volumeMounts", []):
        volume = volumes.get(mount["name"], {})
        name = ("Secret", volume["secret"]["secretName"]) if "secret" in volume else None
        name = ("ConfigMap", volume["configMap"]["name"]) if "configMap" in volume else name
        process.files[mount["mountPath"]] = made.get(name, set()) if name else None
    return process


def of_manifests(manifests: list[Manifest], page: str) -> list[Process]:
    made = listed(page) | rendered(manifests)
    values = {("ConfigMap", one["metadata"]["name"]): one.get("data", {}) for one in of_kind(manifests, "ConfigMap")}
    return [of_workload(work, made, values) for work in workloads(manifests) if work.ours]


def arguments(process: Process, program: Program) -> list[str]:
    command, *rest = process.arguments or [""]
    if command not in program.commands:
        return [f"{process.name}: there is no subcommand {command!r}"]
    told = program.help(command)
    given = {argument.partition("=")[0] for argument in rest if argument.startswith("--")}
    given |= {flag for flag, variable in told.variables.items() if variable in process.variables}
    missing = told.required - given
    wrong = [f"{process.name}: {command} has no flag {flag}" for flag in sorted(given - told.flags)]
    return wrong + [f"{process.name}: {command} must be told {flag}" for flag in sorted(missing)]


def variables(process: Process, program: Program) -> list[str]:
    command = process.arguments[0] if process.arguments else ""
    if command not in program.commands:
        return []
    known = set(program.help(command).variables.values()) | CONVENTIONS
    known |= {name for value in process.variables.values() for name in re.findall(r"\$\((\w+)\)", value)}
    wrong = [f"{process.name}: {command} does not read {name}" for name in sorted(set(process.variables) - known)]
    listen = process.variables.get("TRIALSEAL_LISTEN", "127.0.0.1")
    if not listen.startswith("127.") and not set(process.variables) >= TLS:
        wrong.append(f"{process.name}: is reached from elsewhere without certificates")
    return wrong


def addresses(process: Process) -> list[str]:
    """A service listens at its port, and is called where it listens, over https."""
    wrong, command = [], process.arguments[0] if process.arguments else ""
    listen = process.variables.get("TRIALSEAL_LISTEN")
    if listen and listen.rpartition(":")[2] != str(PORTS.get(command)):
        wrong.append(f"{process.name}: listens at {listen}")
    for called in ("enrollment", "consent", "capture"):
        for url in filter(None, process.variables.get(f"TRIALSEAL_{called.upper()}", "").split(",")):
            parts = urlsplit(url)
            if (parts.scheme, parts.hostname, parts.port) != ("https", called, PORTS[called]):
                wrong.append(f"{process.name}: calls {called} at {url}")
    return wrong


def exists(path: str, files: dict[str, set[str] | None]) -> bool:
    """Whether something is, or may be, at a path, given what is mounted where."""
    for mount, holds in files.items():
        if path == mount:
            return True
        if path.startswith(mount + "/"):
            return holds is None or path.removeprefix(mount + "/") in holds
    return False


def paths(process: Process) -> list[str]:
    told = [*process.arguments[1:], *process.variables.values()]
    found = [value.removeprefix("sqlite://") for value in told if re.match(r"(sqlite://)?/", value)]
    return [f"{process.name}: nothing is mounted at {path}" for path in found if not exists(path, process.files)]


def judge(processes: list[Process], program: Program) -> list[str]:
    wrong = []
    for process in processes:
        wrong += arguments(process, program) + variables(process, program)
        wrong += addresses(process) + paths(process)
    return wrong


def ports(manifests: list[Manifest]) -> list[str]:
    """Each service is where its pods listen."""
    pods, wrong = workloads(manifests), []
    for service in of_kind(manifests, "Service"):
        selector, name = service["spec"]["selector"], service["metadata"]["name"]
        behind = [pod for pod in pods if selector.items() <= pod.labels.items()]
        names = {
            port.get("name"): port["containerPort"] for pod in behind for port in pod.pod["containers"][0]["ports"]
        }
        for port in service["spec"]["ports"]:
            target = port.get("targetPort", port["port"])
            if len(behind) != 1 or port["port"] != names.get(target, target if target in names.values() else None):
                wrong.append(f"Service {name}: nobody listens at {port['port']}")
        if behind and behind[0].kind == "Deployment" and service["spec"].get("clusterIP") != "None":
            wrong.append(f"Service {name}: is not headless, so callers cannot balance")
    return wrong


def keys(page: str, made: Path) -> list[str]:
    """The keys on the page are those that `trialseal init` makes."""
    wrong = []
    for folder in sorted((made / "keys").iterdir()):
        service = folder.name.partition("-")[0]
        if listed(page).get(("Secret", f"{service}-keys")) != {file.name for file in folder.iterdir()}:
            wrong.append(f"Secret {service}-keys: not what init makes for {folder.name}")
    return wrong
