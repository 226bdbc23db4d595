"""Judges signatures with PyPI `cryptography`: every envelope of a bundle, the chain's signature and the Ed25519
cosignatures of its checkpoint.

Usage: signatures.py BUNDLE POLICY
"""

import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def pre_authentication_encoding(payload_type: bytes, payload: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type, len(payload), payload)


def envelopes(bundle: dict) -> int:
    keys = {}
    for part in bundle["facts"]:
        fact = json.loads(base64.b64decode(part["fact"]))
        if "key" in fact:
            raw = base64.b64decode(fact["key"]["key"].removeprefix("ed25519:"))
            name = hashlib.sha256(b"trialseal/key@v1 ed25519\n" + raw).hexdigest()
            keys["ed25519:" + name] = Ed25519PublicKey.from_public_bytes(raw)
    verified = 0
    for part in bundle["entries"]:
        if "envelope" not in part:
            continue
        envelope = json.loads(base64.b64decode(part["envelope"]))
        message = pre_authentication_encoding(envelope["payloadType"].encode(), base64.b64decode(envelope["payload"]))
        known = [signature for signature in envelope["signatures"] if signature["keyid"] in keys]
        assert known, f"{part['service']} entry {part['number']}: no key that is known"
        for signature in known:
            keys[signature["keyid"]].verify(base64.b64decode(signature["sig"]), message)
            verified += 1
    return verified


def checkpoint(note: str, policy: str) -> dict:
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    found = {"log": 0, "cosignatures": 0}
    for line in policy.splitlines():
        words = line.split()
        if not words or words[0] not in ("log", "witness"):
            continue
        vkey = words[1] if words[0] == "log" else words[2]
        name, key_id, key = vkey.split("+", 2)
        key = base64.b64decode(key)
        if key[0] == 0x06:
            continue  # ML-DSA-44: judged by verify_bundle.py
        for signature in signatures.splitlines():
            _, signer, blob = signature.split(" ")
            blob = base64.b64decode(blob)
            if signer != name or blob[:4].hex() != key_id:
                continue
            public = Ed25519PublicKey.from_public_bytes(key[1:])
            if key[0] == 0x01:
                public.verify(blob[4:], text.encode())
                found["log"] += 1
            else:
                time = int.from_bytes(blob[4:12], "big")
                public.verify(blob[12:], f"cosignature/v1\ntime {time}\n{text}".encode())
                found["cosignatures"] += 1
    return found


def main() -> None:
    with open(sys.argv[1], "rb") as file:
        bundle = json.loads(file.read().split(b"\n", 1)[1])
    with open(sys.argv[2], encoding="utf-8") as file:
        policy = file.read()
    print(json.dumps({"envelopes": envelopes(bundle), **checkpoint(bundle["checkpoint"], policy)}))


main()
