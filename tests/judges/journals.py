"""A study's journals and the chain, recomputed for the checker: places, hashes, signatures, keys and consents.

Written from `docs/PROOF.md`. What is wrong goes to a report's `find(zero, what, study, service, number)`.
"""

import copy
from collections import defaultdict
from types import SimpleNamespace

import verify_bundle as v

SERVICES = ("enrollment", "consent", "capture")
BOUND_MS = 5_000  # the longest a decision may be relied on after its state was superseded (docs/PROOF.md, section 15)


def stream_of(study, service):
    return v.sha256(b"trialseal/stream@v1 sha256\n", bytes.fromhex(study.replace("-", "")), service.encode())


def merkle_root(leaves):
    """RFC 6962: neighbours are paired level by level, a lone last hash is carried up."""
    level = list(leaves)
    while len(level) > 1:
        paired = [v.sha256(b"\1", *level[place : place + 2]) for place in range(0, len(level) - 1, 2)]
        level = paired + level[len(level) & ~1 :]
    return level[0]


def roots(leaves):
    """The root of the list at every size from 1 up."""
    subtrees, found = [], [None]
    for leaf in leaves:
        size = 1
        while subtrees and subtrees[-1][0] == size:
            leaf, size = v.sha256(b"\1", subtrees.pop()[1], leaf), size * 2
        subtrees.append((size, leaf))
        root = subtrees[-1][1]
        for _, left in reversed(subtrees[:-1]):
            root = v.sha256(b"\1", left, root)
        found.append(root)
    return found


# --- The chain -------------------------------------------------------------------------------------------------------


class Chain:
    """Blocks and checkpoints: one chain, whoever was shown what and when."""

    def __init__(self, report, policy, shot, told):
        self.report, self.policy = report, policy
        self.signed_only = copy.copy(policy)
        self.signed_only.quorum = "none"
        self.roots = roots([v.leaf(block) for block in shot.chain])
        self.streams = defaultdict(list)
        self.place_blocks(shot.chain)
        report.counted["blocks"] = len(shot.chain)
        if shot.checkpoint is not None:
            self.judge(shot.checkpoint, "the chain's files", quorum=True)
        seen = {}
        for shown in told + shot.witnesses:
            seen.setdefault(shown["note"], shown["source"])
        for note, source in seen.items():
            self.judge(note, source, quorum=not source.startswith("witness"))

    def place_blocks(self, chain):
        for place, data in enumerate(chain):
            try:
                block = v.read_block(data)
            except v.Refused as refusal:
                self.report.find("hashes", f"place {place} of the chain is no block: {refusal}")
                continue
            known = self.streams[block.stream]
            last = known[-1] if known else SimpleNamespace(number=-1, first=0, count=0, hash=bytes(32))
            follows = (last.number + 1, last.first + last.count, last.hash)
            if (block.number, block.first, block.previous) != follows:
                self.report.find("gaps", f"place {place} of the chain: the block does not follow its stream's last")
            known.append(block)

    def judge(self, note, source, quorum):
        self.report.counted["checkpoints"] += 1
        try:
            checkpoint = v.verify_checkpoint(note, self.policy if quorum else self.signed_only)
        except v.Refused as refusal:
            return self.report.find("signatures", f"a checkpoint shown by {source}: {refusal}")
        if checkpoint.size >= len(self.roots):
            what = f"{source} showed a chain of {checkpoint.size} blocks, now there are {len(self.roots) - 1}"
            return self.report.find("forks", what)
        if checkpoint.size > 0 and self.roots[checkpoint.size] != checkpoint.root:
            return self.report.find("forks", f"{source} showed another chain at {checkpoint.size} blocks")


# --- Keys and consents, replayed ---------------------------------------------------------------------------------------


class Keys:
    """Who held which key, by the number of the enrollment entry."""

    def __init__(self):
        self.held = {}  # key id -> actor, public key, registered in, ended in

    def add(self, actor, public, number):
        self.held[v.key_id(public)] = SimpleNamespace(actor=actor, public=public, since=number, ended=None)

    def end(self, number, wanted):
        for key_id, key in self.held.items():
            if key.ended is None and wanted(key_id, key):
                key.ended = number

    def apply(self, kind, payload, number):
        new = payload.get("key")
        if kind == "create-study":
            self.add("root", v.key_text(payload["root_key"]), number)
        elif kind in ("register-actor", "register-representative"):
            self.add(payload["actor"], v.key_text(new), number)
        elif kind in ("enrol-participant", "screen-participant"):
            self.add(payload["participant"], v.key_text(new), number)
        elif kind == "rotate-key":
            self.end(number, lambda _, key: key.actor == payload["by"])
            self.add(payload["by"], v.key_text(new), number)
        elif kind == "revoke-key":
            self.end(number, lambda key_id, _: key_id == new)

    def signed(self, actor, envelope, at):
        """Whether the envelope bears a good signature by a key the actor held in enrollment state `at`."""
        for signature in envelope["signatures"]:
            key = self.held.get(signature["keyid"])
            if key and key.actor == actor and key.since <= at and (key.ended is None or key.ended > at):
                if v.ed25519_verifies(key.public, signature["sig"], envelope["pae"]):
                    return True
        return False


class Consents:
    """When each participant's consent to what changed, by the number of the consent entry."""

    def __init__(self):
        self.changes = defaultdict(list)  # (participant, provision) -> [(number, given?)]

    def apply(self, kind, payload, number):
        participant = payload.get("participant")
        if kind == "give-consent":
            for provision in payload["provisions"]:
                self.changes[participant, provision].append((number, True))
        elif kind == "withdraw-consent":
            for provision in self.withdrawn(payload):
                self.changes[participant, provision].append((number, False))

    def withdrawn(self, payload):
        given = [provision for who, provision in self.changes if who == payload["participant"]]
        scope = payload.get("scope") or "listed"
        if scope == "listed":
            return payload["provisions"]
        # Offers decide what is optional; who withdraws only that may still be captured, which is all that is judged here.
        collects = ("data_collection", "biosamples", "genetics", "remote_monitoring")
        if scope == "further_collection":
            return [provision for provision in given if provision.split(":")[0] in collects]
        return given if scope == "everything" else []

    def in_force(self, participant, provision, at):
        states = [given for number, given in self.changes[participant, provision] if number <= at]
        return bool(states) and states[-1]


# --- A study -----------------------------------------------------------------------------------------------------------


class Study:
    def __init__(self, report, chain, shot, told):
        self.report, self.id, self.told = report, told["study"], told
        self.chain, self.shot = chain, shot
        self.keys, self.consents = Keys(), Consents()
        self.journals = {}  # service -> entries by number
        self.requests = {}  # (service, request) -> number

    def judge(self):
        for service in SERVICES:
            self.service, self.stream = service, stream_of(self.id, service)
            self.journals[service] = self.journal(self.shot.journal(self.id, service))
            self.anchored()

    def find(self, zero, number, what):
        self.report.find(zero, what, self.id, self.service, number)

    def journal(self, records):
        """Reads a journal in order, and judges each entry's place and content."""
        known, previous = {}, SimpleNamespace(number=-1, hash=bytes(32), time=0)
        for record in records:
            self.report.counted["entries"] += 1
            try:
                entry = v.read_entry(record.entry)
                v.need(entry.stream == self.stream, "of another journal")
            except v.Refused as refusal:
                self.find("hashes", previous.number + 1, f"cannot be read: {refusal}")
                continue
            entry.bytes = record.entry
            self.place(entry, previous)
            if entry.number in known:
                continue  # found as a duplicate; the first one counts
            known[entry.number] = previous = entry
            if not record.unreadable:
                self.content(entry, record)
        return known

    def place(self, entry, previous):
        if entry.number <= previous.number:
            self.find("duplicated", entry.number, "this number is there twice")
        elif entry.number != previous.number + 1:
            self.find("gaps", entry.number, f"follows number {previous.number}")
        elif entry.previous != previous.hash:
            self.find("gaps", entry.number, "does not name the hash of the entry before")
        if entry.time < previous.time:
            self.find("gaps", entry.number, "was recorded before the entry before it")

    def content(self, entry, record):
        if v.sha256(record.envelope) != entry.envelope:
            return self.find("hashes", entry.number, "stored with another envelope than the one recorded")
        try:
            envelope = v.read_envelope(record.envelope)
            payload = v.parse_json(envelope["payload"])
            v.need(payload["study"] == self.id, "a command of another study")
            kind = f"application/vnd.trialseal.{entry.kind}.v1+json"
            v.need(envelope["payloadType"] == kind, "a payload of another type")
        except (v.Refused, KeyError, TypeError) as refusal:
            return self.find("hashes", entry.number, f"its envelope cannot be read: {refusal}")
        self.once(entry, payload)
        entry.payload = payload
        self.signature(entry, envelope)
        {"enrollment": self.keys, "consent": self.consents}.get(self.service, Nothing).apply(entry.kind, payload, entry.number)
        if entry.kind == "submit-form":
            self.capture(entry, record)

    def once(self, entry, payload):
        asked = (self.service, payload["request"])
        if asked in self.requests:
            self.find("duplicated", entry.number, f"records the request of entry {self.requests[asked]} again")
        self.requests.setdefault(asked, entry.number)

    def signature(self, entry, envelope):
        by, at = entry.payload["by"], entry.number - 1
        if self.service != "enrollment":
            head = entry.basis.get(stream_of(self.id, "enrollment"))
            if head is None or not self.is_entry("enrollment", head):
                return self.find("hashes", entry.number, "rests on an enrollment entry that is not there")
            at = head[0]
        elif entry.number == 0:
            self.keys.apply(entry.kind, entry.payload, 0)
            at = 0
            if entry.payload["root_key"] != self.told["root_key"]:
                return self.find("signatures", 0, "the study has another root key than its founder was told")
        self.report.counted["signatures"] += 1
        if not self.keys.signed(by, envelope, at):
            self.find("signatures", entry.number, "not signed by who it says, with a key they held")
        manner = entry.payload.get("manner") or {}
        if entry.kind == "give-consent" and manner.get("capacity", "participant") == "participant":
            if not self.keys.signed(entry.payload["participant"], envelope, at):
                self.find("signatures", entry.number, "a consent the participant did not sign")

    def is_entry(self, service, head):
        entry = self.journals[service].get(head[0])
        return entry is not None and entry.hash == head[1]

    def capture(self, entry, record):
        """A submission: its values are those signed, and it rests on a consent in force, known recently enough."""
        self.report.counted["captures"] += 1
        payload = entry.payload
        gone = set(record.redacted)
        leaves = [data if place in gone else v.leaf(data) for place, data in enumerate(record.datapoints)]
        if not leaves or merkle_root(leaves).hex() != payload["root"] or len(leaves) != payload["count"]:
            self.find("hashes", entry.number, "its values are not those that were signed")
        head = entry.basis.get(stream_of(self.id, "consent"))
        if head is None or not self.is_entry("consent", head):
            return self.find("hashes", entry.number, "rests on a consent entry that is not there")
        participant = payload["instance"]["participant"]
        if not self.consents.in_force(participant, payload.get("provision") or "data_collection", head[0]):
            self.find("consent", entry.number, "rests on a state in which the participant did not consent")
        later = self.journals["consent"].get(head[0] + 1)
        age = entry.time - later.time if later else 0
        self.report.most("oldest_decision_ms", age)
        if age > BOUND_MS:
            self.find("consent", entry.number, f"rests on a consent state superseded {age} ms before")

    def anchored(self):
        """The blocks of the stream hold what the journal does."""
        journal = self.journals[self.service]
        for block in self.chain.streams[self.stream]:
            entries = [journal.get(number) for number in range(block.first, block.first + block.count)]
            missing = [block.first + place for place, entry in enumerate(entries) if entry is None]
            for number in missing:
                self.find("lost", number, f"is on the chain, in block {block.number}, and not in the journal")
            for entry in filter(None, entries):
                entry.block = block
                self.report.most("slowest_into_a_block_ms", block.time - entry.time)
            if not missing and merkle_root([entry.hash for entry in entries]) != block.root:
                self.find("hashes", block.first, f"or one after it is not the entry that block {block.number} holds")


class Nothing:
    """The capture journal changes neither keys nor consents."""

    @staticmethod
    def apply(kind, payload, number):
        pass
