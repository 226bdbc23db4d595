"""Plants a fault's effect in what the checker reads, so that the checker itself is judged.

Usage: plant.py PLANT TOLD SNAPSHOT KEYS, changing TOLD and SNAPSHOT in place. KEYS is JSON: study, coordinator (a secret key
file's text), chain and receipts (signer keys' texts). `plant.py --list` prints each plant and the zeros it breaks.
"""

import base64
import hashlib
import json
import os
import struct
import sys
import time
import uuid
from pathlib import Path

import checker
import journals
import verify_bundle as v
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NUMBER = slice(26 + 32, 26 + 40)
PREVIOUS = slice(26 + 40, 26 + 72)
TIME = slice(26 + 72, 26 + 80)
NONCE = slice(26 + 80, 26 + 96)


class Place:
    """The files of one run."""

    def __init__(self, told, snapshot, keys):
        self.told, self.snapshot = Path(told), Path(snapshot)
        with open(keys, encoding="utf-8") as file:
            self.keys = json.load(file)
        self.study = self.keys["study"]

    def edit(self, path, change):
        rows = checker.lines(path)
        rows = change(rows) or rows
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    def journal(self, service, change):
        self.edit(self.snapshot / f"{self.study}.{service}.jsonl", change)

    def rows(self, service):
        return checker.lines(self.snapshot / f"{self.study}.{service}.jsonl")

    def commands(self, change):
        self.edit(self.told / "commands.jsonl", change)


def entry_of(row):
    return base64.b64decode(row["entry"])


def with_entry(row, data):
    return {**row, "entry": base64.b64encode(bytes(data)).decode()}


def replaced(data, *changes):
    data = bytearray(data)
    for where, what in changes:
        data[where] = what
    return bytes(data)


def flipped(text, place):
    data = bytearray(base64.b64decode(text))
    data[place] ^= 1
    return base64.b64encode(data).decode()


def following(data):
    """An entry like this one that follows it."""
    number = int.from_bytes(data[NUMBER], "big") + 1
    return replaced(data, (NUMBER, number.to_bytes(8, "big")), (PREVIOUS, v.leaf(data)), (NONCE, os.urandom(16)))


def secret(text):
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text.strip().rsplit(" ", 1)[-1]))


def signed_note(text, signer):
    """A note signed with a signer key: PRIVATE+KEY+<name>+<id>+<base64 of type and seed>."""
    _, _, name, key_id, encoded = signer.strip().split("+", 4)
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(encoded)[1:])
    signature = base64.b64encode(bytes.fromhex(key_id) + key.sign(text.encode())).decode()
    return f"{text}\n\u2014 {name} {signature}\n"


def envelope(payload, key):
    kind = b"application/vnd.trialseal.submit-form.v1+json"
    body = json.dumps(payload).encode()
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    key_id = "ed25519:" + hashlib.sha256(b"trialseal/key@v1 ed25519\n" + raw).hexdigest()
    signature = {"keyid": key_id, "sig": base64.b64encode(key.sign(message)).decode()}
    sent = {"payloadType": kind.decode(), "payload": base64.b64encode(body).decode(), "signatures": [signature]}
    return json.dumps(sent).encode()


def captured(place, key, participant=None, head=None):
    """Appends a capture that is well-formed: like the last one, under a request of its own, on another consent head."""

    def change(rows):
        last = [row for row in rows if v.read_entry(entry_of(row)).kind == "submit-form"][-1]
        payload = json.loads(v.read_envelope(base64.b64decode(last["envelope"]))["payload"])
        payload = {**payload, "request": str(uuid.uuid4())}
        if participant is not None:
            payload["instance"]["participant"] = participant
        sent = envelope(payload, key)
        newest, data = entry_of(rows[-1]), bytearray(entry_of(last))
        kind = len("submit-form")
        data[123 + kind : 155 + kind] = v.sha256(sent)
        if head is not None:
            stream = journals.stream_of(place.study, "consent")
            at = bytes(data).rindex(stream)
            data[at + 32 : at + 72] = struct.pack(">Q", head[0]) + head[1]
        number = int.from_bytes(newest[NUMBER], "big") + 1
        changes = (NUMBER, number.to_bytes(8, "big")), (PREVIOUS, v.leaf(newest)), (TIME, newest[TIME])
        row = with_entry(last, replaced(data, *changes, (NONCE, os.urandom(16))))
        rows.append({**row, "envelope": base64.b64encode(sent).decode()})

    place.journal("capture", change)


def consents(place, kind):
    """The last command of a kind in the consent journal: its head and its participant."""
    for row in reversed(place.rows("consent")):
        entry = v.read_entry(entry_of(row))
        if entry.kind == kind:
            payload = json.loads(v.read_envelope(base64.b64decode(row["envelope"]))["payload"])
            return (entry.number, entry.hash), payload["participant"]
    raise LookupError(kind)


# --- The plants ----------------------------------------------------------------------------------------------------------


def lost_entry(place):
    """The last capture is gone; it was acknowledged, and is on the chain."""
    place.journal("capture", lambda rows: rows[:-1])


def acknowledged(place, data, anchored_by):
    """A client was told that the entry is recorded, and by when it will be on the chain."""
    root = base64.b64encode(v.leaf(data)).decode()
    note = signed_note(f"trialseal/receipt@v1 sha256\n1\n{root}\n{anchored_by}\n", place.keys["receipts"])
    receipt = {"entry": base64.b64encode(data).decode(), "index": 0, "path": [], "note": note}
    asked = {"study": place.study, "service": "capture", "request": str(uuid.uuid4()), "at": 0}
    attempt = {"event": "attempt", "kind": "submit-form", "participant": "P-AAAAAAAAAAAAAAAA"}
    attempt["envelope"] = v.read_entry(data).envelope.hex()
    answer = {"event": "acknowledged", "receipt": receipt}
    place.commands(lambda rows: rows + [{**asked, **attempt}, {**asked, **answer}])


def lost_receipt(place):
    """Somebody holds a receipt for an entry that is nowhere."""
    acknowledged(place, following(entry_of(place.rows("capture")[-1])), time.time_ns() // 1_000_000)


def never_anchored(place):
    """A capture is recorded and acknowledged, and its time is over: it is on no chain."""
    captured(place, secret(place.keys["coordinator"]))
    acknowledged(place, entry_of(place.rows("capture")[-1]), 1)


def command_twice(place):
    """The last capture is recorded once more."""
    place.journal("capture", lambda rows: rows + [with_entry(rows[-1], following(entry_of(rows[-1])))])


def number_twice(place):
    place.journal("capture", lambda rows: rows + [rows[-1]])


def number_left_out(place):
    """The last entry of the consent journal, an auditor's read, has a number too much."""

    def change(rows):
        data = entry_of(rows[-1])
        number = int.from_bytes(data[NUMBER], "big") + 1
        rows[-1] = with_entry(rows[-1], replaced(data, (NUMBER, number.to_bytes(8, "big"))))

    place.journal("consent", change)


def other_previous(place):
    def change(rows):
        rows[-1] = with_entry(rows[-1], replaced(entry_of(rows[-1]), (PREVIOUS, bytes(32))))

    place.journal("consent", change)


def checkpoint(place, size, root):
    origin = (place.snapshot / "checkpoint").read_text("utf-8").split("\n")[0]
    note = signed_note(f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n", place.keys["chain"])
    shown = {"at": 0, "source": "witness (planted)", "note": note}
    place.edit(place.told / "checkpoints.jsonl", lambda rows: rows + [shown])


def fork(place):
    """A checkpoint the chain signed, of another chain."""
    checkpoint(place, 2, os.urandom(32))


def rolled_back(place):
    """A checkpoint the chain signed, of more blocks than there are."""
    checkpoint(place, 1_000_000, os.urandom(32))


def other_value(place):
    def change(rows):
        row = next(row for row in rows if row["datapoints"])
        row["datapoints"][0] = flipped(row["datapoints"][0], -5)

    place.journal("capture", change)


def other_envelope(place):
    def change(rows):
        rows[-1]["envelope"] = flipped(rows[-1]["envelope"], 100)

    place.journal("capture", change)


def other_entry(place):
    """An entry in the middle has another nonce: it is not what was acknowledged, hashed and anchored."""

    def change(rows):
        middle = len(rows) // 2
        rows[middle] = with_entry(rows[middle], replaced(entry_of(rows[middle]), (NONCE, os.urandom(16))))

    place.journal("capture", change)


def after_withdrawal(place):
    """A capture that rests on the very state in which its participant has withdrawn."""
    head, participant = consents(place, "withdraw-consent")
    captured(place, secret(place.keys["coordinator"]), participant, head)


def on_an_old_state(place):
    """A capture that rests on a consent of long ago."""
    row = next(row for row in place.rows("consent") if v.read_entry(entry_of(row)).kind == "give-consent")
    entry = v.read_entry(entry_of(row))
    participant = json.loads(v.read_envelope(base64.b64decode(row["envelope"]))["payload"])["participant"]
    captured(place, secret(place.keys["coordinator"]), participant, (entry.number, entry.hash))


def withdrawn_earlier(place):
    """A client was told of its withdrawal a minute before; captures went on."""

    def change(rows):
        accepted = {row["request"]: row["at"] for row in rows if row["event"] == "acknowledged"}
        asked = [row for row in rows if row["event"] == "attempt" and row["request"] in accepted]
        for end in (row for row in asked if row["kind"] == "withdraw-consent"):
            told = accepted[end["request"]]
            of = (row for row in asked if row["kind"] == "submit-form" and row["participant"] == end["participant"])
            if any(told - 50_000 < row["at"] and accepted[row["request"]] < end["at"] for row in of):
                for row in rows:
                    if row["request"] == end["request"]:
                        row["at"] -= 60_000
                return
        raise LookupError("nobody was captured before they withdrew")

    place.commands(change)


def other_receipt(place):
    """A receipt's signature is another."""

    def change(rows):
        row = next(row for row in rows if row["event"] == "acknowledged")
        head, signature = row["receipt"]["note"].rstrip("\n").rsplit(" ", 1)
        row["receipt"]["note"] = f"{head} {flipped(signature, 20)}\n"

    place.commands(change)


def signed_by_nobody(place):
    """A capture signed with a key that nobody registered."""
    captured(place, Ed25519PrivateKey.generate())


PLANTS = {
    lost_entry: {"lost"},
    lost_receipt: {"lost"},
    never_anchored: {"lost"},
    command_twice: {"duplicated"},
    number_twice: {"duplicated"},
    number_left_out: {"gaps"},
    other_previous: {"gaps"},
    fork: {"forks"},
    rolled_back: {"forks"},
    other_value: {"hashes"},
    other_envelope: {"hashes"},
    other_entry: {"gaps", "hashes", "lost"},
    after_withdrawal: {"consent"},
    on_an_old_state: {"consent"},
    withdrawn_earlier: {"consent"},
    other_receipt: {"signatures"},
    signed_by_nobody: {"signatures"},
}


def main():
    if sys.argv[1] == "--list":
        return print(json.dumps({plant.__name__: sorted(zeros) for plant, zeros in PLANTS.items()}))
    plants = {plant.__name__: plant for plant in PLANTS}
    plants[sys.argv[1]](Place(*sys.argv[2:5]))


main()
