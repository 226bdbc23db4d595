"""What the checker reads of a deployment: its journals, its chain, its witnesses. Read once, kept in a folder, judged there.

A snapshot holds `policy.txt`, `checkpoint`, `chain.txt` (the blocks, base64, a line each), `taken` (when the chain was last
waited for, in milliseconds since 1970), `witnesses.jsonl` (source, note)
and for each study and service `<study>.<service>.jsonl` (a line for each entry, with the fields of `ReadEntriesResponse`).
"""

import base64
import hashlib
import json
import ssl
import struct
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from types import SimpleNamespace

import verify_bundle as v
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PROTO = Path(__file__).parents[2] / "proto"
SERVICES = ("capture", "consent", "enrollment")  # an entry rests on others: what rests on something is read before it
PAGE = 2_000
AGAIN = 0.5
FULL = 2  # ENTRY_VIEW_FULL
SECRET = "trialseal/secret-key@v1 ed25519 "


class Snapshot:
    """A snapshot that was taken."""

    def __init__(self, folder):
        self.folder = folder
        self.policy = (folder / "policy.txt").read_text("utf-8")
        checkpoint = folder / "checkpoint"
        self.checkpoint = checkpoint.read_text("utf-8") if checkpoint.exists() else None
        self.chain = [base64.b64decode(line) for line in (folder / "chain.txt").read_text("ascii").split()]
        self.taken = int((folder / "taken").read_text("ascii"))
        with open(folder / "witnesses.jsonl", encoding="utf-8") as file:
            self.witnesses = [json.loads(line) for line in file]

    def journal(self, study, service):
        path = self.folder / f"{study}.{service}.jsonl"
        if path.exists():
            with open(path, encoding="utf-8") as file:
                for line in file:
                    yield from_json(json.loads(line))


def from_json(fields):
    unreadable, redacted = fields["unreadable"], fields["redacted"]
    entry, envelope = base64.b64decode(fields["entry"]), base64.b64decode(fields["envelope"])
    datapoints = [base64.b64decode(data) for data in fields["datapoints"]]
    return SimpleNamespace(
        entry=entry, envelope=envelope, datapoints=datapoints, redacted=redacted, unreadable=unreadable
    )


def to_json(message):
    def text(data):
        return base64.b64encode(data).decode()

    datapoints = [text(data) for data in message.datapoints]
    fields = {"entry": text(message.entry), "envelope": text(message.envelope), "datapoints": datapoints}
    return {**fields, "redacted": list(message.redacted), "unreadable": message.unreadable}


# --- Reading a deployment ----------------------------------------------------------------------------------------------


class Reader:
    """An auditor of one study: a fresh token and a fresh signed `access-data` with each call."""

    def __init__(self, told):
        self.study, self.actor = told["study"], told["auditor"]
        seed = base64.b64decode(told["auditor_key"].strip().removeprefix(SECRET))
        self.secret = Ed25519PrivateKey.from_private_bytes(seed)
        raw = self.secret.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.key_id = "ed25519:" + hashlib.sha256(b"trialseal/key@v1 ed25519\n" + raw).hexdigest()

    def metadata(self):
        return [("authorization", f"Bearer {self.token()}"), ("trialseal-access-bin", self.access())]

    def token(self):
        def part(value):
            return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

        issued = int(time.time())
        header = {"alg": "EdDSA", "typ": "JWT", "kid": self.key_id}
        claims = {"sub": self.actor, "aud": "trialseal", "study": self.study, "iat": issued, "exp": issued + 60}
        message = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
        return f"{message}.{part(self.secret.sign(message.encode()))}"

    def access(self):
        kind = b"application/vnd.trialseal.access-data.v1+json"
        asked = {"study": self.study, "request": str(uuid.uuid4()), "by": self.actor, "time": time.time_ns() // 1_000_000}
        payload = json.dumps({**asked, "participant": "*", "site": "*", "purpose": "audit"}).encode()
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
        signature = {"keyid": self.key_id, "sig": base64.b64encode(self.secret.sign(message)).decode()}
        body = base64.b64encode(payload).decode()
        return json.dumps({"payloadType": kind.decode(), "payload": body, "signatures": [signature]}).encode()


class Deployment:
    """The services, over gRPC and HTTP, by the certificates that `endpoints.json` names."""

    def __init__(self, endpoints):
        self.urls = json.loads(endpoints.read_text("utf-8"))
        files = self.urls.get("tls") or {}
        self.files = {name: endpoints.parent / file for name, file in files.items()}
        self.tls = None
        if self.files:
            self.tls = ssl.create_default_context(cafile=str(self.files["ca"]))
            if "certificate" in self.files:
                self.tls.load_cert_chain(str(self.files["certificate"]), str(self.files["key"]))

    def get(self, url):
        with urllib.request.urlopen(url, timeout=10, context=self.tls if url.startswith("https") else None) as answer:
            return answer.read()

    def of_anchoring(self, path):
        """A file of the chain, from the first replica that has it; None if none has."""
        failure = None
        for url in self.urls["anchoring"].split(","):
            try:
                return self.get(f"{url}/{path}")
            except urllib.error.HTTPError as error:
                failure = failure if error.code == 404 else error
            except OSError as error:
                failure = error
        if failure is not None:
            raise failure
        return None

    def channels(self, service):
        import grpc

        for url in self.urls[service].split(","):
            scheme, address = url.split("://")
            if scheme == "http":
                yield grpc.insecure_channel(address)
                continue
            own = [self.files[name].read_bytes() if name in self.files else None for name in ("key", "certificate")]
            yield grpc.secure_channel(address, grpc.ssl_channel_credentials(self.files["ca"].read_bytes(), *own))


def patiently(action, until):
    """Tries again while a service is away."""
    import grpc

    passing = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)
    while True:
        try:
            return action()
        except (OSError, grpc.RpcError) as error:
            if time.monotonic() > until or (isinstance(error, grpc.RpcError) and error.code() not in passing):
                raise
        time.sleep(AGAIN)


def stubs():
    """Code for the protocols, generated where it is used."""
    from grpc_tools import protoc

    folder = tempfile.TemporaryDirectory()
    files = [str(PROTO / f"trialseal/{name}/v1/{name}.proto") for name in ("types", "journal")]
    out = [f"--python_out={folder.name}", f"--grpc_python_out={folder.name}"]
    if protoc.main(["protoc", f"-I{PROTO}", *out, *files]) != 0:
        raise RuntimeError("the protocols cannot be compiled")
    sys.path.insert(0, folder.name)
    from trialseal.journal.v1 import journal_pb2, journal_pb2_grpc

    return journal_pb2, journal_pb2_grpc, folder


def chain(deployment):
    """The published checkpoint, and the blocks under it."""
    note = deployment.of_anchoring("checkpoint")
    if note is None:
        return None, []
    note = note.decode()
    size, blocks = int(note.split("\n")[1]), []
    for index in range(0, -(-size // 256)):
        width = min(256, size - 256 * index)
        digits = f"{index:03}" if index < 1_000 else f"x{index // 1_000:03}/{index % 1_000:03}"
        bundle = deployment.of_anchoring(f"tile/entries/{digits}" + (f".p/{width}" if width < 256 else ""))
        if bundle is None:
            raise FileNotFoundError(f"entries {index} of the chain")
        place = 0
        while place < len(bundle):
            (length,) = struct.unpack_from(">H", bundle, place)
            blocks.append(bundle[place + 2 : place + 2 + length])
            place += 2 + length
    return note, blocks


def anchored(blocks):
    """How many entries of each stream are on the chain."""
    found = {}
    for data in blocks:
        block = v.read_block(data)
        found[block.stream] = max(found.get(block.stream, 0), block.first + block.count)
    return found


def promised(told):
    """How many entries of each stream must be on the chain: those that were acknowledged."""
    found = {}
    with open(told / "commands.jsonl", "rb") as file:
        for line in file:
            if line.endswith(b"\n") and (event := json.loads(line))["event"] == "acknowledged":
                entry = v.read_entry(base64.b64decode(event["receipt"]["entry"]))
                found[entry.stream] = max(found.get(entry.stream, 0), entry.number + 1)
    return found


def witnesses(deployment, origin):
    for url in deployment.urls["witnesses"]:
        path = hashlib.sha256(origin.encode()).hexdigest()
        try:
            yield {"source": f"witness {url}", "note": deployment.get(f"{url}/{path}/checkpoint").decode()}
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise


def journal(deployment, pb, grpc_pb, reader, service, until):
    """A journal, page by page; any replica may answer each."""
    stream = v.sha256(b"trialseal/stream@v1 sha256\n", uuid.UUID(reader.study).bytes, service.encode())
    channels = list(deployment.channels(service))
    number = 0
    while True:
        def page():
            # Another replica each time: one of them may be away.
            channels.append(channels.pop(0))
            request = pb.ReadEntriesRequest(stream=stream, limit=PAGE, view=FULL, study=reader.study, **{"from": number})
            call = grpc_pb.JournalServiceStub(channels[0]).ReadEntries(request, metadata=reader.metadata(), timeout=60)
            return list(call)

        found = patiently(page, until)
        yield from found
        number += len(found)
        if len(found) < PAGE:
            return


def take(told, endpoints, policy, folder, patience):
    """Reads everything, after waiting until what was promised is on the chain, but not forever."""
    folder.mkdir(parents=True, exist_ok=True)
    deployment, until = Deployment(endpoints), time.monotonic() + patience
    keys = policy.with_stem(f"{policy.stem}-keys")  # a snapshot has the policy in its older form: one file
    (folder / "policy.txt").write_bytes(policy.read_bytes() + (keys.read_bytes() if keys.exists() else b""))
    log = next(line.split()[1] for line in policy.read_text("utf-8").split("\n") if line.startswith("log "))
    seen = patiently(lambda: list(witnesses(deployment, log.split("+")[0])), until)
    largest = max((int(witness["note"].split("\n")[1]) for witness in seen), default=0)
    wanted = promised(told)
    while True:
        note, blocks = patiently(lambda: chain(deployment), until)
        there = anchored(blocks)
        done = len(blocks) >= largest and all(there.get(stream, 0) >= count for stream, count in wanted.items())
        if done or time.monotonic() > until:
            break
        time.sleep(AGAIN)
    (folder / "taken").write_text(str(time.time_ns() // 1_000_000), "ascii")
    if note is not None:
        (folder / "checkpoint").write_text(note, "utf-8")
    (folder / "chain.txt").write_text("".join(base64.b64encode(block).decode() + "\n" for block in blocks), "ascii")
    (folder / "witnesses.jsonl").write_text("".join(json.dumps(witness) + "\n" for witness in seen), "utf-8")
    until = time.monotonic() + max(patience, 30.0)
    pb, grpc_pb, generated = stubs()
    with generated, open(told / "studies.jsonl", encoding="utf-8") as studies:
        for line in studies:
            reader = Reader(json.loads(line))
            for service in SERVICES:
                with open(folder / f"{reader.study}.{service}.jsonl", "w", encoding="utf-8") as file:
                    for message in journal(deployment, pb, grpc_pb, reader, service, until):
                        file.write(json.dumps(to_json(message)) + "\n")
