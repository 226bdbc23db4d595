#!/usr/bin/env python3
"""Offline verifier for an export of a study, written from docs/PROOF.md and the export's README.md alone.

    python3 verify_export.py FOLDER --policy POLICY [--json]

Checks the digests of all files; that the chain is the one its checkpoint, signed and cosigned as the policy demands, is over;
that the study's journals are complete, unchanged and on the chain; that every command is signed by a registered key; and that
values and documents are those that were signed. What the rules of the trial allowed is for `trialseal audit --export` to say.

Exit status 0 if everything holds, 2 if the policy or an argument is malformed, else 1. Needs Python 3.11 and the package that
verify_bundle.py, beside this file, names.
"""
import argparse
import hashlib
import json
import os
import sys

from verify_bundle import (Refused, ed25519_verifies, key_id, leaf, need, read_block, read_datapoint, read_entry,
                           read_envelope, read_policy_files, sha256, unbase64, verify_checkpoint)

SERVICES = ("enrollment", "consent", "capture")


def node(left, right):
    return sha256(b"\1", left, right)


def root(leaves):
    """The root of a list of leaf hashes: PROOF.md, section 3.1."""
    level = list(leaves) or [sha256()]
    while len(level) > 1:
        pairs = [level[i:i + 2] for i in range(0, len(level), 2)]
        level = [node(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]


def tile_path(index, width):
    """The path of an entry bundle: C2SP tlog-tiles."""
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return "tile/entries/" + "/".join(groups) + ("" if width == 256 else f".p/{width}")


class Export:
    def __init__(self, folder):
        self.folder = folder
        self.manifest = json.loads(self.read("manifest.json"))
        need(self.manifest["format"] == "trialseal/export@v1", "an export of another format")
        self.study = bytes.fromhex(self.manifest["study"].replace("-", ""))
        self.keys, self.counts = {}, {"blocks": 0, "entries": 0, "commands": 0, "datapoints": 0, "answers": 0, "documents": 0}

    def read(self, name):
        with open(os.path.join(self.folder, name), "rb") as file:
            return file.read()

    def digests(self):
        present = set()
        for folder, _, names in os.walk(self.folder):
            present |= {os.path.relpath(os.path.join(folder, name), self.folder) for name in names}
        need(present == {"manifest.json", *self.manifest["files"]}, "files are missing, or there are others")
        for name, digest in self.manifest["files"].items():
            with open(os.path.join(self.folder, name), "rb") as file:
                need(hashlib.file_digest(file, "sha256").hexdigest() == digest, f"{name} is another file")
            if name.startswith("documents/"):
                need(name == "documents/" + digest, f"{name} is not the document of that name")
                self.counts["documents"] += 1

    def chain(self, policy):
        """The blocks of each stream, once they are known to be those under the checkpoint."""
        checkpoint = verify_checkpoint(self.read("chain/checkpoint").decode(), policy)
        blocks, leaves, streams = [], [], {}
        for index in range((checkpoint.size + 255) // 256):
            width = min(256, checkpoint.size - index * 256)
            data, at = self.read("chain/" + tile_path(index, width)), 0
            for _ in range(width):
                length = int.from_bytes(data[at:at + 2], "big")
                blocks.append(data[at + 2:at + 2 + length])
                at += 2 + length
            need(at == len(data), "an entry bundle is cut short or goes on")
        for data in blocks:
            block = read_block(data)
            leaves.append(block.hash)
            known = streams.setdefault(block.stream, [])
            last = known[-1] if known else None
            follows = (last.number + 1, last.first + last.count, last.hash) if last else (0, 0, bytes(32))
            need((block.number, block.first, block.previous) == follows, "a block does not follow the one before")
            known.append(block)
        need(root(leaves) == checkpoint.root, "the blocks are not those under the checkpoint")
        self.counts["blocks"] = len(blocks)
        return streams

    def lines(self, service):
        with open(os.path.join(self.folder, f"journals/{service}.jsonl"), "rb") as file:
            for line in file:
                record = json.loads(line)
                known = {"entry", "envelope", "datapoints", "unreadable", "redacted", "set"}
                need(set(record) <= known and "entry" in record, "an entry with other fields")
                yield record

    def learn_keys(self, root_key):
        """Every key that a signed command of the study registered. Which holds when is for the audit."""
        self.keys[key_id(root_key)] = root_key
        for record in self.lines("enrollment"):
            if "envelope" in record:
                payload = json.loads(read_envelope(unbase64(record["envelope"]))["payload"])
                if isinstance(payload.get("key"), str):
                    key = unbase64(payload["key"].removeprefix("ed25519:"))
                    self.keys[key_id(key)] = key

    def journal(self, service, blocks):
        stream = sha256(b"trialseal/stream@v1 sha256\n", self.study, service.encode())
        blocks, hashes, previous, number = iter(blocks.get(stream, [])), [], bytes(32), 0
        block = next(blocks, None)
        for record in self.lines(service):
            entry = read_entry(unbase64(record["entry"]))
            need((entry.stream, entry.number, entry.previous) == (stream, number, previous),
                 f"{service} entry {number} does not follow the one before")
            need(block is not None, f"{service} entry {number} is not on the chain")
            previous, number = entry.hash, number + 1
            hashes.append(entry.hash)
            if len(hashes) == block.count:
                need(root(hashes) == block.root, f"an entry of {service} block {block.number} is another than on the chain")
                hashes, block = [], next(blocks, None)
            self.content(service, entry, record)
            self.counts["entries"] += 1
        need(block is None and not hashes, f"the {service} journal is cut short")

    def content(self, service, entry, record):
        what = f"{service} entry {entry.number}"
        if record.get("unreadable"):
            return  # erased: the audit finds the command that ordered it
        data = unbase64(record["envelope"])
        need(sha256(data) == entry.envelope, f"{what} records another envelope")
        envelope = read_envelope(data)
        known = [s for s in envelope["signatures"] if s["keyid"] in self.keys]
        need(known, f"{what} is signed by no registered key")
        for signature in known:
            need(ed25519_verifies(self.keys[signature["keyid"]], signature["sig"], envelope["pae"]),
                 f"a signature of {what} does not verify")
        self.counts["commands"] += 1
        payload = json.loads(envelope["payload"])
        if "root" not in payload or "count" not in payload:
            return
        points, out = [unbase64(point) for point in record.get("datapoints", [])], set(record.get("redacted", []))
        for place, point in enumerate(points):
            if place not in out:
                read_datapoint(point)
                self.counts["datapoints" if service == "capture" else "answers"] += 1
        leaves = [point if place in out else leaf(point) for place, point in enumerate(points)]
        need(len(leaves) == payload["count"] and root(leaves).hex() == payload["root"], f"{what} has other values than signed")

    def run(self, policy):
        self.digests()
        study = self.manifest["study"]
        need(study in policy.studies, "the policy does not name the study's root key")
        blocks = self.chain(policy)
        self.learn_keys(unbase64(spelled(policy.studies[study])))
        for service in SERVICES:
            self.journal(service, blocks)
        return self.counts


def spelled(key):
    """A key of a policy as base64, whether it was kept as bytes or as text."""
    import base64
    return base64.b64encode(key).decode() if isinstance(key, bytes) else key.removeprefix("ed25519:")


def main():
    parser = argparse.ArgumentParser(description="Verifies an export of a Trialseal study offline.")
    parser.add_argument("folder")
    parser.add_argument("--policy", required=True, help="one that came to you by a way the exporter does not control")
    parser.add_argument("--policy-keys", help="receipt and study keys; POLICY-keys.txt beside POLICY.txt unless given")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        policy = read_policy_files(args.policy, args.policy_keys)
    except Refused as refusal:
        parser.error(f"the policy is malformed: {refusal}")
    try:
        counts, reason = Export(args.folder).run(policy), None
    except Refused as refusal:
        counts, reason = None, str(refusal)
    except Exception as error:  # a fault of this program must not look like anything but a refusal
        counts, reason = None, f"cannot be read: {type(error).__name__}"
    if args.json:
        print(json.dumps({"verified": reason is None, "reason": reason, "counts": counts}))
    else:
        print(f"NOT verified: {reason}" if reason else "verified: " + ", ".join(f"{n} {what}" for what, n in counts.items()))
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
