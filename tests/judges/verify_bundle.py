#!/usr/bin/env python3
"""Offline verifier for Trialseal proof bundles, written from docs/PROOF.md alone ("§" refers to its sections).

    python3 verify_bundle.py BUNDLE --policy POLICY [--policy-keys KEYS] [--json]
    python3 verify_bundle.py --many DIR --policy POLICY

Exit status 0 if everything asked for is verified, 2 if the policy or an argument is malformed, else 1. Needs Python 3.11 and this one package:

    cryptography==50.0.2    (Ed25519; ML-DSA-44 through hazmat.primitives.asymmetric.mldsa)
"""
import argparse
import base64
import hashlib
import json
import os
import re
import sys
from types import SimpleNamespace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

U32, U64 = 2**32 - 1, 2**64 - 1
SERVICES = ("enrollment", "consent", "capture")
AHEAD, DAY, MONTH = 300_000, 86_400_000, 30 * 86_400_000  # of §14.6: how far a signer's clock may be from the service's
E, C = "enrollment", "consent"  # as in §14.1


class Refused(Exception):
    """Something does not hold; the verification adds the name of the link."""


def need(condition, reason):
    if not condition:
        raise Refused(reason)


# --- §2, §3.1: text forms, hashes, trees ---------------------------------------------------------------------------

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf(data):
    return sha256(b"\0", data)


def utf8(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("not UTF-8") from None


def unbase64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:  # also raised for characters outside ASCII
        raise Refused("not base64") from None
    need(base64.b64encode(data).decode() == text, "base64 is not in its one spelling")
    return data


def decimal(text):
    need(re.fullmatch("0|[1-9][0-9]{0,19}", text) and int(text) <= U64, "not a decimal number")
    return int(text)


def included(leaf_hash, index, size, path, root):
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf_hash
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = sha256(b"\1", p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha256(b"\1", r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


# --- §3.2, §3.3: signatures ----------------------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SMALL_ORDER = {bytes.fromhex(h) for h in (
    "00" * 32, "01" + "00" * 31,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ec" + "ff" * 30 + "7f", "ed" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f")}


def small_order(point):
    return point[:31] + bytes([point[31] & 0x7f]) in SMALL_ORDER


def ed25519_key(key):
    """Refuses what is no usable public key. As §3.2 says, y is reduced, unlike in RFC 8032."""
    need(len(key) == 32, "Ed25519 key of a wrong length")
    y2 = pow((int.from_bytes(key, "little") & (2**255 - 1)) % P, 2, P)
    x2 = (y2 - 1) * pow(D * y2 + 1, -1, P) % P  # D is no square and -1 is one, so the divisor is never 0
    need(x2 == 0 or pow(x2, (P - 1) // 2, P) == 1, "Ed25519 key is no point of the curve")
    need(not small_order(key), "Ed25519 key of small order")
    return key


def ed25519_verifies(key, signature, message):
    # The library compares the encoding of [S]B - [k]A with R, without cofactor; so R needs no decoding of its own.
    if len(signature) != 64 or small_order(signature[:32]) or int.from_bytes(signature[32:], "little") >= L:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


def mldsa44_verifies(key, signature, message):
    if len(signature) != 2420:
        return False
    try:
        MLDSA44PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


# --- §2, §4: JSON values. A "reader" turns a parsed JSON value into ours, or refuses it --------------------------------

WHITE_SPACE = set(map(chr, (*range(9, 14), 0x20, 0x85, 0xa0, 0x1680, *range(0x2000, 0x200b), 0x2028, 0x2029, 0x202f,
                            0x205f, 0x3000)))


def parse_json(data):
    def unique(pairs):
        need(len(pairs) == len(dict(pairs)), "a field occurs twice")
        return dict(pairs)

    def integer(text):
        return decimal(text)  # no sign; beyond u64 nothing is ever valid

    def never(text):
        raise Refused("not an integer literal")

    try:
        return json.loads(utf8(data), object_pairs_hook=unique, parse_int=integer, parse_float=never,
                          parse_constant=never)
    except (ValueError, RecursionError):
        raise Refused("not JSON") from None


class Digits(str):
    """A number of a field that is not read, as it is spelled (§14.4)."""


def parse_any_json(data):
    """An object whose fields are not read (§14.4)."""
    def unique(pairs):
        need(len(pairs) == len(dict(pairs)), "a field occurs twice")
        return dict(pairs)

    def never(text):
        raise Refused("not JSON")

    def check(value, depth):
        if type(value) is str:
            string(value)
        if type(value) in (dict, list):
            need(depth < 127, "nested too deep")
            for item in [*value, *value.values()] if type(value) is dict else value:
                check(item, depth + 1)

    try:
        value = json.loads(utf8(data), object_pairs_hook=unique, parse_int=Digits, parse_float=Digits,
                           parse_constant=never)
    except (ValueError, RecursionError):
        raise Refused("not JSON") from None
    check(value, 0)
    return value


def string(value):
    need(type(value) is str, "not a string")
    need(not any("\ud800" <= c <= "\udfff" for c in value), "unpaired surrogate")
    return value


def name(value):
    string(value)
    need(1 <= len(value.encode()) <= 128, "name is empty or too long")
    need(not re.search("[\0-\x1f\x7f-\x9f]", value), "control character in a name")
    need(value[0] not in WHITE_SPACE and value[-1] not in WHITE_SPACE, "white space around a name")
    return value


def boolean(value):
    need(type(value) is bool, "not a boolean")
    return value


def number(maximum):
    def read(value):
        need(type(value) is int and 0 <= value <= maximum, "not a number in range")
        return value
    return read


def pattern(regex, convert=lambda text: text):
    def read(value):
        need(re.fullmatch(regex, string(value)), "not in its text form")
        return convert(value)
    return read


def one_of(*values):
    def read(value):
        need(string(value) in values, "not one of the listed values")
        return value
    return read


def list_of(reader, maximum=None):
    def read(value):
        need(type(value) is list, "not an array")
        need(maximum is None or len(value) <= maximum, "more items than allowed")
        return [reader(item) for item in value]
    return read


def optional(reader):
    def read(value):
        return None if value is None else reader(value)
    read.absent = None
    return read


def default(absent, reader):
    def read(value):
        return reader(value)
    read.absent = absent
    return read


def record(**fields):
    fields = {key.rstrip("_"): reader for key, reader in fields.items()}  # `from_` stands for `from`

    def read(value):
        need(type(value) is dict and value.keys() <= fields.keys(), "not an object, or an unknown field in it")
        for key, reader in fields.items():
            need(key in value or hasattr(reader, "absent"), "a field is missing")
        return {key: reader(value[key]) if key in value else reader.absent for key, reader in fields.items()}
    return read


def choice(*texts, **objects):
    """Yields the name of what was chosen, and what the object holds."""
    def read(value):
        if type(value) is str:
            need(value in texts, "not one of the listed values")
            return value, None
        need(type(value) is dict and len(value) == 1, "not a choice")
        (key, content), = value.items()
        need(key in objects, "not one of the listed fields")
        return key, objects[key](content)
    return read


DETAILS = {"data_collection": (0, 1), "biosamples": (0, 1), "future_research": (0, 1), "data_sharing": (2,),
           "genetics": (0,), "recontact": (0,), "remote_monitoring": (0,)}  # §4


def provision(value):
    kind, *details = name(value).split(":")
    need(kind in DETAILS and len(details) in DETAILS[kind], "not a provision")
    need(all(d and d[0] not in WHITE_SPACE and d[-1] not in WHITE_SPACE for d in details), "not a detail")
    return value


def provisions(value):
    need(type(value) is dict, "not an object")
    return {provision(key): GIVEN(given) for key, given in value.items()}


u8, u32, u64 = number(255), number(U32), number(U64)
hash_ = pattern("[0-9a-f]{64}", bytes.fromhex)
uuid = pattern("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
base64_ = lambda value: unbase64(string(value))
hashes = list_of(hash_)
key_id_text = pattern("ed25519:[0-9a-f]{64}")
key_text = pattern("ed25519:[A-Za-z0-9+/]{43}=", lambda text: ed25519_key(unbase64(text[8:])))
service = one_of(*SERVICES)
names = default([], list_of(name))
task = one_of("manage_study", "register_actors", "publish_documents", "enrol", "obtain_consent", "define_forms",
              "capture", "read", "audit", "override_eligibility", "manage_allocation", "see_allocation", "unblind",
              "redact", "erase", "record_late")
actor_kind = one_of("person", "system", "participant", "device", "organisation", "representative")
relation = one_of("legal_representative", "parent", "impartial_witness")
mode = one_of("warn", "stop")
approval = record(reference=name, date=name, body=optional(name))
reconsent = record(by=u64, meanwhile=mode, then=mode)
TERMS = record(
    title=name, sites=names, effective=u64,
    provisions=list_of(record(provision=provision, mandatory=boolean, days=optional(u32))),
    quiz=optional(record(
        questions=list_of(record(question=name, text=string, choices=list_of(string), right=u8)), pass_=u32)),
    supersedes=default([], list_of(record(version=name, language=name))), reconsent=optional(reconsent),
    parents=default(0, u8), representative=default(False, boolean), remote=default(False, boolean),
    deferral_ms=optional(u64), site_device=default(False, boolean),
    notice=optional(record(controller=name, contact=optional(name), storage=names, retention=optional(name),
                           jurisdiction=optional(name), lawful_basis=optional(name))))
CAPACITY = choice(
    "participant", site_device=record(device=name, evidence=hash_), representative=record(actor=name),
    minor=record(parents=list_of(name), assent=choice("signed", not_able=name), majority=u64),
    deferred=record(reason=name, deadline=u64))
MANNER = record(capacity=CAPACITY, witness=optional(name), remote=optional(name),
                answers=default([], list_of(record(question=name, choice=u8))))
GIVEN = record(
    given=u64, document=name, version=name, language=name, withdrawn=optional(u64),
    until=optional(record(time=u64, why=one_of("period", "majority", "deferral"))), mandatory=default(False, boolean),
    refused=default(False, boolean), signed=optional(u64), after=optional(hash_),
    given_by=default([], list_of(name, 8)))
PERIOD = record(granted=u64, from_=u64, until=u64, ended=optional(u64), line=list_of(name, 480), steps=u32,
                after=optional(hash_))


def key_id(key):
    return "ed25519:" + sha256(b"trialseal/key@v1 ed25519\n", key).hex()


def spell_key(key):
    return "ed25519:" + base64.b64encode(key).decode()


def under_rules(study, root_key, rules):
    """§4: whether the identifier (16 bytes) is made of the root key and this number."""
    h = bytearray(sha256(b"trialseal/study-id@v1 sha256\n", rules.to_bytes(4, "big"), study[:4], root_key)[:12])
    h[2], h[4] = h[2] & 0x0f | 0x80, h[4] & 0x3f | 0x80  # bytes 6 and 8 of the UUID
    return study[4:] == h


def command(**fields):
    return record(study=uuid, request=uuid, by=name, time=u64, **fields)


ENVELOPE = record(payloadType=string, payload=base64_, signatures=list_of(record(keyid=key_id_text, sig=base64_)))  # §6
COMMANDS = {  # §7
    "register-actor": command(actor=name, kind=actor_kind, key=key_text, site=optional(name)),
    "rotate-key": command(key=key_text, confirmed=optional(record(by=name, kind=actor_kind))),
    "delegate": command(
        actor=name, task=task, site=name, from_=u64, until=u64,
        training=optional(record(reference=name, completed=name, certificate=optional(hash_))),
        seen=optional(hash_)),
    "enrol-participant": command(participant=name, site=name, key=key_text, late=optional(name)),
    "screen-participant": command(participant=name, site=name, key=key_text, token=optional(hash_),
                                  late=optional(name)),
    "register-representative": command(participant=name, site=name, actor=name, relation=relation, key=key_text,
                                       second=optional(name), grounds=optional(name), until=optional(u64)),
    "publish-document": command(document=name, version=name, language=name, content=hash_, approval=approval,
                                terms=optional(TERMS)),
    "give-consent": command(participant=name, site=name, document=name, version=name, language=name,
                            provisions=list_of(provision), synthetic=boolean, manner=optional(MANNER),
                            seen=optional(hash_), late=optional(name)),
    "redact-value": command(participant=name, site=name, entry=u64, index=u32, item=name, repeat=default("", string),
                            reason=name, second=name),
    "erase-participant": command(participant=name, site=name, entries=list_of(u64), order=name, law=name),
    "submit-form": command(
        site=name, instance=record(participant=name, event=name, event_repeat=u32, form=name, form_repeat=u32),
        forms_version=name, root=hash_, count=u32, collected=optional(string), corrects=optional(u64),
        reason=optional(string), provision=optional(provision), late=optional(name)),
}
FACTS = {  # §8
    "site": record(open=boolean, changed=u64, state=optional(one_of("planned", "open", "paused", "closed")),
                   newest=optional(hash_)),
    "actor": record(kind=actor_kind, registered=u64, site=optional(name)),
    "key": record(actor=name, key=key_text, registered=u64, ended=optional(u64), steps=optional(u32)),
    "delegation": record(granted=u64, from_=u64, until=u64, ended=optional(u64)),
    "delegations": record(periods=list_of(PERIOD), newest=hash_),
    "participant": record(
        site=name, enrolled=u64, withdrawn=optional(u64),
        stage=optional(one_of("screened", "eligible", "screen_failed", "enrolled", "randomised", "active", "completed",
                              "withdrawn", "lost_to_follow_up", "died"))),
    "representative": record(relation=relation, registered=u64, until=optional(u64)),
    "document": record(content=hash_, approval=approval, published=u64, terms=optional(TERMS),
                       superseded=optional(record(by=u64, effective=u64, reconsent=optional(reconsent))),
                       published_ms=optional(u64)),
    "consent": record(provisions=provisions, majority=optional(u64), emptied=optional(u64),
                      declined=default([], list_of(provision))),
}
BUNDLE = record(  # §13
    study=uuid, submission=u64, datapoint=base64_, index=u64, path=hashes,
    entries=list_of(record(service=service, number=u64, entry=base64_, envelope=optional(base64_), path=hashes)),
    facts=list_of(record(service=service, number=u64, key=hash_, fact=base64_, salt=base64_, siblings=hashes)),
    blocks=list_of(record(block=base64_, index=u64, path=hashes)),
    checkpoint=string,
    record=optional(service),
    withheld=optional(choice(redacted=record(entry=u64, leaf=hash_), erased=record(entry=u64))))
GIVEN_BY = {  # §14.5
    "participant": "signed by", "site_device": "signed on a device of the site by",
    "representative": "signed by the legally authorised representative of", "minor": "signed by the parents of",
    "deferred": "deferred in an emergency for"}


# --- §5: binary records --------------------------------------------------------------------------------------------

class Binary:
    def __init__(self, data, first_line):
        self.data, self.at = data, 0
        need(self.take(len(first_line)) == first_line, "record of another format")

    def take(self, length):
        need(self.at + length <= len(self.data), "record ends inside a field")
        self.at += length
        return self.data[self.at - length:self.at]

    def uint(self, length):
        return int.from_bytes(self.take(length), "big")

    def text(self, maximum):
        length = self.uint(4)
        need(length <= maximum, "text too long")
        return utf8(self.take(length))

    def end(self):
        need(self.at == len(self.data), "record goes on after its last field")


def read_datapoint(data):
    r = Binary(data, b"trialseal/datapoint@v1 sha256\n")
    r.take(16)
    point = {"item": r.text(128), "repeat": r.text(128), "value": r.text(65536), "unit": r.text(128)}
    r.end()
    return point


def read_entry(data):
    r = Binary(data, b"trialseal/entry@v1 sha256\n")
    e = SimpleNamespace(hash=leaf(data), stream=r.take(32), number=r.uint(8), previous=r.take(32), time=r.uint(8))
    r.take(16)  # nonce
    kind_length = r.uint(1)
    need(1 <= kind_length <= 64, "kind of a wrong length")
    e.kind = r.take(kind_length)
    need(re.fullmatch(b"[a-z-]+", e.kind), "kind with other characters")
    e.kind, e.envelope, flag = e.kind.decode(), r.take(32), r.uint(1)
    need(flag <= 1, "unknown state flag")
    e.state_root = r.take(32) if flag else None
    count = r.uint(1)
    need(count <= 4, "too many heads")
    e.basis = {}
    for _ in range(count):
        stream, head = r.take(32), (r.uint(8), r.take(32))
        need(stream not in e.basis, "two heads of one stream")
        e.basis[stream] = head
    r.end()
    return e


def read_block(data):
    r = Binary(data, b"trialseal/block@v1 sha256\n")
    b = SimpleNamespace(hash=leaf(data), stream=r.take(32), number=r.uint(8), first=r.uint(8), count=r.uint(4),
                        root=r.take(32), time=r.uint(8), previous=r.take(32))
    r.end()
    need(1 <= b.count <= 65536 and b.first + b.count <= U64, "block with an impossible range")
    return b


# --- §6: envelopes -------------------------------------------------------------------------------------------------

def read_envelope(data):
    need(len(data) <= 1048576, "envelope too large")
    envelope = ENVELOPE(parse_json(data))
    ids = [s["keyid"] for s in envelope["signatures"]]
    need(1 <= len(ids) <= 8 and len(ids) == len(set(ids)), "wrong number of signatures, or a key id twice")
    kind = envelope["payloadType"].encode()
    envelope["pae"] = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(envelope["payload"]), envelope["payload"])
    return envelope


# --- §11: notes, checkpoints, cosignatures -------------------------------------------------------------------------

def key_name(text):
    need(1 <= len(text.encode()) <= 255, "key name is empty or too long")
    need(not any(c in WHITE_SPACE or c == "+" or c < " " for c in text), "character not allowed in a key name")
    return text


def read_verifier_key(text):
    parts = text.split("+", 2)
    need(len(parts) == 3, "not a verifier key")
    data = unbase64(parts[2])
    k = SimpleNamespace(name=key_name(parts[0]), type=data[0] if data else 0, public=data[1:])
    need(len(k.public) == {1: 32, 4: 32, 6: 1312}.get(k.type), "note key of another type or length")
    k.id = sha256(k.name.encode(), b"\n", data)[:4]
    need(k.id.hex() == parts[1], "id of a note key does not match")
    if k.type != 6:
        ed25519_key(k.public)
    return k


def read_checkpoint(text):
    lines = text.split("\n")
    need(lines.pop() == "" and len(lines) >= 3 and all(lines), "not the text of a checkpoint")
    root = unbase64(lines[2])
    need(len(root) == 32, "root of a wrong length")
    return SimpleNamespace(text=text, origin=lines[0], size=decimal(lines[1]), root=root)


def note_signature(key, signature, checkpoint):
    """The time of a signature that verifies (0 for type 01, which has none), or None. Notes of bundles are checkpoints."""
    text, origin = checkpoint.text.encode(), checkpoint.origin.encode()
    if key.type == 1:
        return 0 if ed25519_verifies(key.public, signature, text) else None
    time, bare = int.from_bytes(signature[:8], "big"), signature[8:]
    if len(signature) < 8 or time >= 2**63:
        return None
    if key.type == 4:
        return time if ed25519_verifies(key.public, bare, b"cosignature/v1\ntime %d\n" % time + text) else None
    if len(origin) > 255:
        return None
    own = key.name.encode()
    message = b"".join((b"subtree/v1\n\0", bytes([len(own)]), own, signature[:8], bytes([len(origin)]), origin, bytes(8),
                        checkpoint.size.to_bytes(8, "big"), checkpoint.root))
    return time if mldsa44_verifies(key.public, bare, message) else None


def verify_checkpoint(note, policy):
    need(len(note.encode()) <= 131072, "note too large")
    need(not re.search("[\0-\x09\x0b-\x1f]", note), "control character in the note")
    text, separator, tail = note.rpartition("\n\n")
    lines = tail.split("\n")
    need(separator and lines.pop() == "" and 1 <= len(lines) <= 64, "not a signed note")
    signatures = []
    for line in lines:
        parts = line.split(" ", 2)
        need(len(parts) == 3 and parts[0] == "\u2014", "not a signature line")
        data = unbase64(parts[2])
        need(len(data) >= 5, "signature too short")
        signatures.append((key_name(parts[1]), data[:4], data[4:]))
    checkpoint = read_checkpoint(text + "\n")
    need(any(k.name == checkpoint.origin for k in policy.logs), "origin is no chain of the policy")
    times = {}  # by public key, which the policy has once; in the order of the lines
    for line_name, line_id, signature in signatures:
        known = [k for k in policy.keys if k.name == line_name and k.id == line_id]
        verified = next(((k, t) for k in known if (t := note_signature(k, signature, checkpoint)) is not None), None)
        need(verified or not known, "a signature of a known key does not verify")
        if verified:  # of two such keys the first
            times.setdefault(verified[0].public, verified[1])
    need(any(k.name == checkpoint.origin and k.public in times for k in policy.logs), "not signed by the chain")
    checkpoint.cosigned_by = [{"name": policy.witnesses[k], "time": t} for k, t in times.items()
                              if k in policy.witnesses and t != 0]
    holds = {w["name"] for w in checkpoint.cosigned_by}
    for group, (threshold, members) in policy.groups.items():  # in the order of their lines
        if sum(member in holds for member in members) >= threshold:
            holds.add(group)
    need(policy.quorum == "none" or policy.quorum in holds, "the quorum is not reached")
    return checkpoint


# --- §12: the policy -----------------------------------------------------------------------------------------------

MAX_POLICY = 1048576
LINES = {"log": (1, 2), "witness": (2, 3), "group": (3, U32), "quorum": (1, 1)}  # how many items follow the word
KEY_LINES = {"study": (2, 2), "receipt": (1, 1)}


def policy_lines(data, known):
    """The lines of a policy file, or of the file of keys beside it, as lists of items."""
    need(len(data) <= MAX_POLICY, "policy too large")
    # §12 leaves open a last line without its end; it is read like the others. "Control characters" are read as those of
    # ASCII, and as errors in comments too.
    for line in utf8(data).replace("\r\n", "\n").split("\n"):
        need(not re.search("[\0-\x08\x0a-\x1f\x7f]", line), "control character in the policy")
        items = re.findall("[^ \t]+", line)
        if items and not items[0].startswith("#"):
            least, most = known.get(items[0], (1, 0))
            need(least <= len(items) - 1 <= most, "unknown word, or missing or surplus items")
            yield items


def read_policy_files(path, keys=None):
    """The policy of a file and of the file of keys beside it, which need not be there unless it was named."""
    stem, suffix = os.path.splitext(path)
    beside = keys or f"{stem}-keys{suffix}"
    there = keys is not None or os.path.lexists(beside)
    return read_policy(read_file(path, MAX_POLICY)(), read_file(beside, MAX_POLICY)() if there else b"")


def read_policy(data, beside=b""):
    policy = SimpleNamespace(logs=[], keys=[], witnesses={}, groups={}, quorum=None, studies={})
    depth, members_taken = {}, set()  # names of witnesses and groups so far
    # The policy may hold the lines of the file of keys itself.
    for word, *args in (*policy_lines(data, LINES | KEY_LINES), *policy_lines(beside, KEY_LINES)):
        if word in ("log", "witness"):
            key = read_verifier_key(args[word == "witness"])
            need(key.type in ((1, 6) if word == "log" else (4, 6)), "note key of a wrong type")
            need(all(key.public != other.public for other in policy.keys), "a public key occurs twice")
            policy.keys.append(key)
        if word in ("witness", "group"):
            need(args[0] != "none" and args[0] not in depth, "name is taken")
        if word == "log":
            policy.logs.append(key)
        elif word == "witness":
            policy.witnesses[key.public], depth[args[0]] = args[0], 0
        elif word == "group":
            members = args[2:]
            for member in members:
                need(member in depth and member not in members_taken, "member is unknown or in a group already")
                members_taken.add(member)
            threshold = {"all": len(members), "any": 1}.get(args[1]) or decimal(args[1])
            need(1 <= threshold <= len(members), "impossible threshold")
            depth[args[0]] = 1 + max(depth[member] for member in members)
            need(depth[args[0]] <= 32, "groups too deep")
            policy.groups[args[0]] = (threshold, members)
        elif word == "quorum":
            need(policy.quorum is None and (args[0] == "none" or args[0] in depth), "second or unknown quorum")
            policy.quorum = args[0]
        elif word == "study":
            need(uuid(args[0]) not in policy.studies, "second line for a study")
            policy.studies[args[0]] = key_text(args[1])
        else:
            need(read_verifier_key(args[0]).type == 1, "receipt key of a wrong type")
    need(policy.quorum is not None, "no quorum")
    need(max(len(policy.logs), len(policy.witnesses), len(policy.groups)) <= 128, "too many lines of a kind")
    return policy


# --- §13, §14: verifying a bundle ----------------------------------------------------------------------------------

def read_bundle(data):
    need(len(data) <= 8388608, "file too large")
    first_line = re.match(rb"trialseal/bundle@v1 sha256 ([0-9a-f]{64})\n", data)
    need(first_line, "not a bundle")
    body = data[first_line.end():]
    need(hashlib.sha256(body).hexdigest().encode() == first_line[1], "digest does not match")
    bundle = BUNDLE(parse_json(body))
    parts = bundle["entries"] + bundle["facts"] + bundle["blocks"] + [bundle]
    need(all(len(bundle[what]) <= 1024 for what in ("entries", "facts", "blocks")), "too many parts")
    need(all(len(part["siblings" if "siblings" in part else "path"]) <= 256 for part in parts), "a path is too long")
    need(all(len(part["entry"]) <= 541 for part in bundle["entries"]), "an entry is too long")
    need(all(len(part["fact"]) <= 1048576 for part in bundle["facts"]), "a fact is too long")
    return bundle


class Text(str):
    """JSON that a report shows as it was signed."""


def report_json(report):
    """The report, with the command of a record in the spelling it was signed with."""
    command = report["record"] and report["record"]["command"]
    if command is None:
        return json.dumps(report, indent=2)
    place = "the command " + sha256(command.encode()).hex()  # occurs nowhere else
    shown = {**report, "record": {**report["record"], "command": place}}
    return json.dumps(shown, indent=2).replace(json.dumps(place), command)


class Held:
    """A task held for a period, from whom (the line, the root first), by whom and what they are (§14.6)."""

    def __init__(self, start, until, line):
        self.start, self.until, self.line = start, until, line

    def by(self, actor, kind):
        self.actor, self.kind = actor, kind
        return self


class Verification:
    """Methods in capitals are the building blocks of §14.1. `link` is the link under whose name a refusal is reported."""

    def __init__(self):
        self.link, self.steps = "file", 0
        self.registered, self.delegated, self.delegations = {}, {}, []  # the memos hold kinds and lines (§14.6)

    def stream(self, which):
        return sha256(b"trialseal/stream@v1 sha256\n", self.study_bytes, which.encode())

    def ENTRY(self, which, n):
        part = self.entries.get((which, n))
        need(part, "an entry is missing")
        entry = read_entry(part["entry"])
        need(entry.stream == self.stream(which) and entry.number == n, "entry of another journal or number")
        part["used"], entry.part, entry.service = True, part, which
        return entry

    def COMMAND(self, kind, which, n):
        entry = self.ENTRY(which, n)
        data = entry.part["envelope"]
        need(data is not None, "an envelope is missing")
        entry.part["envelope_used"] = True
        envelope = read_envelope(data)
        need(sha256(data) == entry.envelope, "envelope is not that of the entry")
        need(envelope["payloadType"] == f"application/vnd.trialseal.{kind}.v1+json", "payload of another type")
        payload = COMMANDS[kind](parse_json(envelope["payload"]))
        need(entry.kind == kind and payload["study"] == self.bundle["study"], "command of another kind or study")
        return SimpleNamespace(entry=entry, envelope=envelope, payload=payload)

    def HEAD(self, entry, which):
        head = entry.basis.get(self.stream(which))
        need(head, "a head is missing")
        named = self.ENTRY(which, head[0])
        need(named.hash == head[1], "head is another entry")
        need(not self.rules_3 or named.time <= entry.time + AHEAD, "recorded before the head")
        return head[0]

    def BEFORE(self, entry):
        need(entry.number != 0, "there is no entry before the first")
        before = self.ENTRY(E, entry.number - 1)
        need(before.hash == entry.previous, "the entry before is another")
        need(not self.rules_3 or before.time <= entry.time, "recorded before the entry before")
        return entry.number - 1

    def FACT(self, which, n, subjects, wanted):
        root = self.ENTRY(which, n).state_root
        need(root is not None, "entry without a state root")
        for subject in subjects:
            parts = [part.encode() for part in subject]
            key = sha256(b"trialseal/fact-key@v1 sha256\n", self.study_bytes,
                         *(len(part).to_bytes(4, "big") + part for part in parts))
            part = self.facts.get((which, n, key))
            if part is None:
                continue
            need(len(part["salt"]) == 16, "salt of a wrong length")
            h = sha256(b"\0", key, sha256(b"trialseal/fact@v1 sha256\n", part["salt"], part["fact"]))
            for depth in reversed(range(len(part["siblings"]))):
                sibling = part["siblings"][depth]
                right = key[depth // 8] >> (7 - depth % 8) & 1
                h = sha256(b"\1", sibling, h) if right else sha256(b"\1", h, sibling)
            need(h == root, "a fact is not in the state")
            part["used"] = True
            kind = "delegations" if self.rules_3 and subject[0] == "delegation" else subject[0]
            try:
                value = record(**{kind: FACTS[kind]})(parse_json(part["fact"]))[kind]
            except Refused:
                continue  # whatever these bytes are, they are not wanted
            if wanted(value, subject):
                return value, subject
        raise Refused(f"no fact of the kind {subjects[0][0]} is as wanted")

    def SIGNED_BY(self, actor, envelope, n):
        """Yields the key and what the actor is (§14.6)."""
        fact, _ = self.FACT(E, n, [("key", s["keyid"]) for s in envelope["signatures"]], lambda f, subject: (
            f["actor"] == actor and f["ended"] is None and key_id(f["key"]) == subject[1]))
        key = fact["key"]
        self.POSSESSED(envelope, key)
        return key, self.REGISTERED(actor, key, fact["registered"], n)

    def POSSESSED(self, envelope, key):
        need(any(s["keyid"] == key_id(key) and ed25519_verifies(key, s["sig"], envelope["pae"])
                 for s in envelope["signatures"]), "a signature does not verify")

    def REGISTERED(self, actor, key, r, n):
        if actor == "root":
            need(key == self.root_key, "not the root key of the policy")
            return "person"
        need(r <= n, "registered later than the state")
        if (r, actor, key) not in self.registered:
            self.registered[r, actor, key] = None  # entered; numbers only fall, so nobody asks before it is replaced
            self.registered[r, actor, key] = self.registration(actor, key, r)
        return self.registered[r, actor, key]

    def registration(self, actor, key, r):
        """Step 4 of REGISTERED; yields what the actor is."""
        kind = self.ENTRY(E, r).kind
        fields = {"register-actor": "actor", "enrol-participant": "participant", "screen-participant": "participant",
                  "register-representative": "actor", "rotate-key": "by"}
        need(kind in fields, "entry registers nobody")
        command = self.COMMAND(kind, E, r)
        p = command.payload
        form = re.fullmatch("([PR])-[A-Z2-7]{16}", actor)
        form = form[1] if form else None
        need(p[fields[kind]] == actor and p["key"] == key, "command registers another actor or key")
        if kind == "register-actor":
            need(p["kind"] not in ("participant", "representative") and form is None, "not registered so")
        elif kind != "rotate-key":
            need(form == ("R" if kind == "register-representative" else "P"), "not a pseudonym")
        if self.rules_3:
            self.POSSESSED(command.envelope, key)
        if kind == "register-representative":
            self.REPRESENTATIVE(command)
            return "representative"
        self.STEP()
        if kind == "rotate-key":
            return self.rotation(command)
        if kind == "register-actor":
            self.ENTITLED(command, "register_actors", "*")
            return p["kind"]
        self.ENTITLED(command, "enrol", p["site"])
        return "participant"

    def rotation(self, command):
        p, m = command.payload, self.BEFORE(command.entry)
        if self.rules_3:
            self.ON_TIME(command, "*", m)
            if p["confirmed"]:
                registrar = p["confirmed"]["by"]
                need(registrar != p["by"], "confirmed by nobody else")
                need(p["confirmed"]["kind"] not in ("participant", "representative")
                     and not re.fullmatch("[PR]-[A-Z2-7]{16}", p["by"]), "not to be confirmed")
                need(self.SIGNED_BY(registrar, command.envelope, m)[1] == "person", "confirmed by no person")
                self.AUTHORITY(registrar, "register_actors", "*", m, command.entry.time)
                return p["confirmed"]["kind"]
        return self.SIGNED_BY(p["by"], command.envelope, m)[1]

    def REPRESENTATIVE(self, command):
        """Before rules 3, what is in its place: STEP and ENTITLED."""
        p, t = command.payload, command.entry.time
        self.STEP()
        first = self.ENTITLED(command, "enrol", p["site"])
        if self.rules_3:
            need(None not in (p["second"], p["grounds"], p["until"]), "not registered by two persons, for a time")
            m = self.BEFORE(command.entry)
            _, kind = self.SIGNED_BY(p["second"], command.envelope, m)
            second = self.AUTHORITY(p["second"], "obtain_consent", p["site"], m, t).by(p["second"], kind)
            self.TWO_PERSONS(first, second)

    def TWO_PERSONS(self, a, b):
        need(a.kind == b.kind == "person", "not a person")
        need(a.actor != b.actor and a.actor not in b.line and b.actor not in a.line, "not two persons")

    def ENTITLED(self, command, task, site):
        """Yields what AUTHORITY yields, and whose it is and what they are."""
        m = self.BEFORE(command.entry) if command.entry.service == E else self.HEAD(command.entry, E)
        by = command.payload["by"]
        _, kind = self.SIGNED_BY(by, command.envelope, m)
        held = self.AUTHORITY(by, task, site, m, command.entry.time).by(by, kind)
        self.ON_TIME(command, site, m)
        return held

    def ON_TIME(self, command, site, n):
        if not self.rules_3:
            return
        p, s, t = command.payload, command.payload["time"], command.entry.time
        late = p.get("late")  # few kinds have it
        need(s <= t + AHEAD and t <= s + (DAY if late is None else MONTH), "not recorded in time")
        if late is not None:
            self.AUTHORITY(p["by"], "record_late", site, n, t)

    def AUTHORITY(self, actor, task, site, n, t):
        if actor == "root":
            return Held(0, U64, [])
        return self.HELD(actor, task, site, n, lambda start, until: start <= t < until)

    def HELD(self, actor, task, site, n, wanted):
        """Steps 2 to 4 of AUTHORITY, `wanted` being asked about from and until."""
        def first(fact):
            return next((p for p in (fact["periods"] if self.rules_3 else [fact])
                         if p["ended"] is None and wanted(p["from"], p["until"])), None)

        scopes = [site] if site == "*" else [site, "*"]
        fact, subject = self.FACT(E, n, [("delegation", actor, task, scope) for scope in scopes], lambda f, _: first(f))
        period = first(fact)
        need(period["granted"] <= n, "granted later than the state")
        return Held(period["from"], period["until"], self.DELEGATED(actor, task, subject[3], period))

    def DELEGATED(self, actor, task, scope, period):
        """Yields the line."""
        g, start, until = period["granted"], period["from"], period["until"]
        command = self.COMMAND("delegate", E, g)
        p = command.payload
        need((p["actor"], p["task"], p["site"], p["from"], p["until"]) == (actor, task, scope, start, until),
             "another delegation")
        if (g, actor) not in self.delegated:
            self.delegated[g, actor] = None  # as in REGISTERED
            self.STEP()
            held = self.ENTITLED(command, task, scope)
            if not (held.start <= start and until <= held.until):
                need(self.rules_3, "delegated for longer than held")
                held = self.HELD(p["by"], task, scope, self.BEFORE(command.entry),
                                 lambda starts, ends: starts <= start and until <= ends)
            self.delegated[g, actor] = held.line + [p["by"]]
            self.delegations.append({"actor": actor, "task": task, "site": scope, "delegated_by": p["by"],
                                     "signed": p["time"], "recorded": command.entry.time})
        line = self.delegated[g, actor]
        if self.rules_3:  # also of what is in the memo: another state may say something else of it
            need(period["after"] == p["seen"], "delegated on another state")
            need(period["line"] == line, "held from others")
        return line

    def STANDS_FOR(self, actor, relation, consent, h):
        p = consent.payload
        fact, _ = self.FACT(E, h, [("representative", p["participant"], actor)], lambda f, _: f["relation"] == relation)
        need(fact["registered"] <= h, "registered later than the state")
        command = self.COMMAND("register-representative", E, fact["registered"])
        q = command.payload
        need((q["participant"], q["site"], q["actor"], q["relation"]) ==
             (p["participant"], p["site"], actor, relation), "another registration")
        if self.rules_3:
            need(q["until"] is not None and q["until"] > consent.entry.time, "acts no longer")
        self.REPRESENTATIVE(command)
        self.SIGNED_AS("representative", actor, consent.envelope, h)

    def STEP(self):
        self.steps += 1
        need(self.steps <= (480 if self.rules_3 else 128), "too many registrations and delegations")

    def run(self, bundle_data, policy):
        """The steps of §14.2; returns claim, erasure and record of §14.5. `bundle_data` is a function, so that what cannot be
        read fails under its link."""
        self.bundle = b = read_bundle(bundle_data())
        chosen, content = b["withheld"] or (None, None)
        self.study_bytes = bytes.fromhex(b["study"].replace("-", ""))
        self.entries = {(part["service"], part["number"]): part for part in b["entries"]}  # the last one is found
        self.facts = {(part["service"], part["number"], part["key"]): part for part in b["facts"]}

        self.link = "policy"
        need(b["study"] in policy.studies, "study is not in the policy")
        self.root_key = policy.studies[b["study"]]
        self.rules_3 = under_rules(self.study_bytes, self.root_key, 3)
        later = any(under_rules(self.study_bytes, self.root_key, rules) for rules in range(4, 256))
        need(not later, "study under later rules")

        if b["record"] is not None:
            self.link = "submission"
            need(chosen is None, "a command has no value to withhold")
            chosen, found = "record", self.recorded(b["record"])
        elif chosen == "erased":
            found = self.erased(content["entry"])
        else:
            found = self.datapoint(content)

        self.link = "block"
        blocks = [read_block(part["block"]) for part in b["blocks"]]
        ranges = sorted((block.stream, block.first, block.first + block.count) for block in blocks)
        need(all(this[0] != next_[0] or this[2] <= next_[1] for this, next_ in zip(ranges, ranges[1:])),
             "two blocks of a stream cover one entry")
        used = set()
        for part in b["entries"]:
            stream, n, entry_hash = self.stream(part["service"]), part["number"], leaf(part["entry"])
            for place, block in enumerate(blocks):
                if block.stream == stream and block.first <= n < block.first + block.count and included(
                        entry_hash, n - block.first, block.count, part["path"], block.root):
                    used.add(place)
                    break
            else:
                raise Refused("an entry is in no block")
        if len(used) < len(blocks):
            self.link = "leftovers"
            raise Refused("a block has no entry here")

        self.link = "checkpoint"
        checkpoint = verify_checkpoint(b["checkpoint"], policy)

        self.link = "chain"
        for block, part in zip(blocks, b["blocks"]):
            need(included(block.hash, part["index"], checkpoint.size, part["path"], checkpoint.root), "not on the chain")

        self.link = "leftovers"
        need(all("used" in part for part in b["entries"] + b["facts"]), "an entry or fact was not used")
        need(all(part["envelope"] is None or "envelope_used" in part for part in b["entries"]), "unused envelope")

        if chosen != "record":
            found["delegations"] = self.delegations
        found["checkpoint"] = {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex(),
                               "cosigned_by": checkpoint.cosigned_by}
        return {"record": (None, None, found), "erased": (None, found, None)}.get(chosen, (found, None, None))

    def recorded(self, which):
        """§14.4: a command as such."""
        self.link, b = "datapoint", self.bundle
        need(b["datapoint"] == b"" and b["path"] == [] and b["index"] == 0, "a value is there")
        self.link = "submission"
        entry = self.ENTRY(which, b["submission"])
        data = entry.part["envelope"]
        need(data is not None, "an envelope is missing")
        entry.part["envelope_used"] = True
        envelope = read_envelope(data)
        need(sha256(data) == entry.envelope, "envelope is not that of the entry")
        need(envelope["payloadType"] == f"application/vnd.trialseal.{entry.kind}.v1+json", "payload of another type")
        payload = parse_any_json(envelope["payload"])
        need(isinstance(payload, dict) and payload.get("study") == b["study"], "command of another study")
        need(type(payload.get("study")) is str and type(payload.get("by")) is str, "not in the form of a command")
        by = name(payload["by"])
        h = self.BEFORE(entry) if which == E else self.HEAD(entry, E)
        self.link = "signer"
        key, _ = self.SIGNED_BY(by, envelope, h)
        time = payload.get("time")
        time = int(time) if type(time) is Digits and re.fullmatch("0|[1-9][0-9]{0,19}", time) else U64 + 1
        time = time if time <= U64 else None
        if self.rules_3:
            need(time is not None and time <= entry.time + AHEAD and entry.time <= min(time + MONTH, U64), "not recorded in time")
        self.text = utf8(envelope["payload"]).strip(" \t\n\r")
        return {"study": b["study"], "service": which, "entry": entry.number, "recorded": entry.time, "kind": entry.kind,
                "by": by, "key": spell_key(key), "command": Text(self.text), "signed": time,
                "rules": 3 if self.rules_3 else None}

    def erased(self, n):
        """§14.3."""
        self.link, b = "erasure", self.bundle
        need(b["datapoint"] == b"" and b["path"] == [] and b["index"] == 0, "a value is there")
        entry = self.ENTRY("capture", b["submission"])
        need(entry.kind == "submit-form", "not a submission")
        command = self.COMMAND("erase-participant", "capture", n)
        p = command.payload
        need(entry.number in p["entries"] and entry.number < n, "not erased by this")
        self.ENTITLED(command, "erase", p["site"])
        return {"study": b["study"], "entry": entry.number, "recorded": entry.time, "participant": p["participant"],
                "erased": command.entry.time, "erased_in": n, "signed": p["time"], "by": p["by"], "order": p["order"],
                "law": p["law"], "rules": 3 if self.rules_3 else None}

    def datapoint(self, redacted):
        """Steps 3 to 11; `redacted` is what the bundle says of a redaction, or None."""
        b = self.bundle
        self.link = "submission"
        submission = self.COMMAND("submit-form", "capture", b["submission"])
        capture, p = submission.entry, submission.payload
        participant, what = p["instance"]["participant"], p["provision"] or "data_collection"

        if redacted:
            self.link = "redaction"
            need(b["datapoint"] == b"", "a value is there")
            point, point_leaf = None, redacted["leaf"]
        else:
            self.link = "datapoint"
            point, point_leaf = read_datapoint(b["datapoint"]), leaf(b["datapoint"])
        self.link = "datapoint"
        need(included(point_leaf, b["index"], p["count"], b["path"], p["root"]), "not in the submission")

        self.link = "submission"
        e, c = self.HEAD(capture, E), self.HEAD(capture, C)

        self.link = "signer"
        key, _ = self.SIGNED_BY(p["by"], submission.envelope, e)
        self.ON_TIME(submission, p["site"], e)

        self.link = "delegation"
        self.AUTHORITY(p["by"], "capture", p["site"], e, capture.time)

        self.link = "site"
        self.FACT(E, e, [("site", p["site"])], lambda f, _: f["open"])

        self.link = "participant"
        self.FACT(E, e, [("participant", participant)], lambda f, _: (
            f["site"] == p["site"] and f["withdrawn"] is None))

        self.link = "consent"
        fact, _ = self.FACT(C, c, [("consent", participant)], lambda f, _: (
            what in f["provisions"] and f["provisions"][what]["withdrawn"] is None))
        g = fact["provisions"][what]
        need(g["given"] <= c, "given later than the state")
        consent = self.COMMAND("give-consent", C, g["given"])
        wording = (g["document"], g["version"], g["language"])
        q = consent.payload
        need((q["participant"], q["site"]) == (participant, p["site"]), "consent of another participant or site")
        need(what in q["provisions"], "consent to something else")
        need((q["document"], q["version"], q["language"]) == wording, "consent to another document")
        capacity, how = q["manner"]["capacity"] if q["manner"] else ("participant", None)
        self.signed_for(consent, capacity, how, self.HEAD(consent.entry, E))
        obtained = self.ENTITLED(consent, "obtain_consent", p["site"])
        if self.rules_3:
            need(obtained.kind == "person", "not obtained by a person")
            need((g["signed"], g["after"]) == (q["time"], q["seen"]), "signed at another time or on another state")
            need(g["given_by"] == {"representative": lambda: [how["actor"]], "minor": lambda: how["parents"]}.get(
                capacity, list)(), "given by others")
            majority = fact["majority"]
            if capacity == "minor":
                need(majority is not None and capture.time < majority <= how["majority"], "of age by now, or put off")
            else:
                need(majority is None or majority <= min(q["time"], consent.entry.time), "not of age")

        self.link = "document"
        fact, _ = self.FACT(C, c, [("document", *wording)], lambda f, _: True)
        self.link = "consent"
        need(in_force(g, fact["superseded"], capture.time), "consent is not in force")
        self.link = "document"
        need(fact["published"] < consent.entry.number, "published after the consent")
        published = self.COMMAND("publish-document", C, fact["published"])
        d = published.payload
        need((d["document"], d["version"], d["language"]) == wording, "another document was published")
        need((d["content"], d["approval"]) == (fact["content"], fact["approval"]), "published otherwise")
        ends = admitted(d["terms"], q, what, capacity, how, consent.entry.time, self.rules_3)
        self.link = "consent"
        need(all(capture.time < end for end in ends), "consent had ended by itself")
        self.link = "document"
        need(not self.rules_3 or published.entry.time <= q["time"] + AHEAD, "consent was signed before the document")
        self.ENTITLED(published, "publish_documents", "*")

        gone = self.redaction(redacted["entry"], capture.number, p) if redacted else None
        point = point or {"item": gone["item"], "repeat": gone["repeat"], "value": "", "unit": ""}
        return {
            "study": p["study"], **p["instance"], "site": p["site"], **point, **({"redacted": gone} if gone else {}),
            "collected": p["collected"], "corrects": p["corrects"], "reason": p["reason"],
            "signed_by": p["by"], "key": spell_key(key), "signed": p["time"],
            "entry": capture.number, "recorded": capture.time, "late": p["late"],
            "rules": 3 if self.rules_3 else 2 if q["manner"] else 1,
            "consent": {"signed": q["time"], "late": q["late"],
                        "document": g["document"], "version": g["version"], "language": g["language"],
                        "content": fact["content"].hex(), "approval": fact["approval"]["reference"],
                        "provision": what, "given": GIVEN_BY[capacity],
                        "obtained_by": q["by"], "recorded": consent.entry.time, "synthetic": q["synthetic"]},
        }

    def SIGNED_AS(self, kind, actor, envelope, h):
        _, is_ = self.SIGNED_BY(actor, envelope, h)
        need(not self.rules_3 or is_ == kind, "signed by another kind of actor")

    def signed_for(self, consent, capacity, how, h):
        """Step 10.3."""
        participant = consent.payload["participant"]
        if capacity == "participant":
            self.SIGNED_AS("participant", participant, consent.envelope, h)
        elif capacity == "site_device":
            fact, _ = self.FACT(E, h, [("actor", how["device"])], lambda f, _: f["kind"] == "device")
            need(fact["registered"] <= h, "registered later than the state")
            command = self.COMMAND("register-actor", E, fact["registered"])
            need((command.payload["actor"], command.payload["kind"]) == (how["device"], "device"), "not a device")
            need(not self.rules_3 or command.payload["site"] == consent.payload["site"], "device of another site")
            self.STEP()
            self.ENTITLED(command, "register_actors", "*")
            self.SIGNED_AS("device", how["device"], consent.envelope, h)
        elif capacity == "representative":
            self.STANDS_FOR(how["actor"], "legal_representative", consent, h)
        elif capacity == "minor":
            need(how["parents"], "no parent")
            for parent in dict.fromkeys(how["parents"]):  # each once, in their order
                self.STANDS_FOR(parent, "parent", consent, h)
            if how["assent"][0] == "signed":
                self.SIGNED_AS("participant", participant, consent.envelope, h)
        manner = consent.payload["manner"]
        if manner and manner["witness"] is not None:
            self.STANDS_FOR(manner["witness"], "impartial_witness", consent, h)

    def redaction(self, n, number, submission):
        self.link = "redaction"
        command = self.COMMAND("redact-value", "capture", n)
        p, entry = command.payload, command.entry
        need(p["entry"] == number < n and p["index"] == self.bundle["index"], "another value")
        need((p["participant"], p["site"]) == (submission["instance"]["participant"], submission["site"]),
             "of another participant or site")
        need(p["by"] != p["second"], "one person signed twice")
        h = self.HEAD(entry, E)
        persons = []
        for person in (p["by"], p["second"]):
            _, kind = self.SIGNED_BY(person, command.envelope, h)
            persons.append(self.AUTHORITY(person, "redact", p["site"], h, entry.time).by(person, kind))
        if self.rules_3:
            self.TWO_PERSONS(*persons)
            self.ON_TIME(command, p["site"], h)
        return {"entry": n, "recorded": entry.time, "signed": p["time"],
                **{key: p[key] for key in ("by", "second", "reason", "item", "repeat")}}


def in_force(given, superseded, t):
    """Step 11.2."""
    if given["until"] and given["until"]["time"] <= t:
        return False
    demand = superseded and superseded["reconsent"]
    if not demand or t < superseded["effective"]:
        return True
    return demand["meanwhile" if t < demand["by"] else "then"] != "stop"


def admitted(terms, consent, what, capacity, how, r, rules_3):
    """Step 11.5; yields the times of step 11.6."""
    if terms is None and consent["manner"] is None:
        return []
    need(terms is not None and consent["manner"] is not None, "terms without a manner, or the other way round")
    offer = next((offer for offer in terms["provisions"] if offer["provision"] == what), None)
    need(offer, "not offered")
    need((not terms["sites"] or consent["site"] in terms["sites"]) and terms["effective"] <= r, "not there, or not yet")
    need(capacity != "representative" or terms["representative"], "representatives are not admitted")
    need(capacity != "minor" or 0 < terms["parents"] <= len(how["parents"]) == len(set(how["parents"])),
         "not as many different parents")
    need(capacity != "deferred" or offer["mandatory"] and terms["deferral_ms"] is not None
         and how["deadline"] <= min((consent["time"] if rules_3 else r) + terms["deferral_ms"], U64), "not to be deferred so")
    if rules_3:
        need(terms["effective"] <= consent["time"] + AHEAD, "not yet when it was signed")
        need(capacity != "site_device" or terms["site_device"], "devices of the site are not admitted")
        r = consent["time"]  # for the days
    ends = [] if offer["days"] is None else [min(r + offer["days"] * DAY, U64)]
    return ends + [how[end] for end in ("majority", "deadline") if how and end in how]


def read_file(path, maximum):
    def read():
        try:
            with open(path, "rb") as file:
                return file.read(maximum + 1)  # one more, so that the bound is seen to be exceeded
        except (OSError, ValueError):
            raise Refused("file cannot be read") from None
    return read


def verify(bundle_path, policy):
    verification = Verification()
    try:
        claim, erasure, recorded = verification.run(read_file(bundle_path, 8388608), policy)
        return {"verified": True, "failed_link": None, "claim": claim, "erasure": erasure, "record": recorded}, None
    except Refused as refusal:
        reason = str(refusal)
    except Exception as error:  # a fault of this program must not look like anything but a refusal
        reason = f"internal error: {type(error).__name__}"
    return {"verified": False, "failed_link": verification.link, "claim": None, "erasure": None, "record": None}, reason


def main():
    parser = argparse.ArgumentParser(description="Verifies Trialseal proof bundles offline.")
    parser.add_argument("bundle", nargs="?")
    parser.add_argument("--many", metavar="DIR", help="verify every *.trialseal file of the folder")
    parser.add_argument("--policy", required=True)
    parser.add_argument("--policy-keys", help="receipt and study keys; POLICY-keys.txt beside POLICY.txt unless given")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if (args.bundle is None) == (args.many is None):
        parser.error("give either BUNDLE or --many DIR")
    try:
        policy = read_policy_files(args.policy, args.policy_keys)
    except Refused as refusal:
        parser.error(f"the policy is malformed: {refusal}")
    if args.many is not None:
        good = True
        try:
            files = sorted(name for name in os.listdir(args.many) if name.endswith(".trialseal"))
        except OSError:
            parser.error("the folder cannot be read")
        for name in files:
            report, _ = verify(os.path.join(args.many, name), policy)
            print(json.dumps({"file": name, "verified": report["verified"], "failed_link": report["failed_link"]}))
            good = good and report["verified"]
        return 0 if good else 1
    report, reason = verify(args.bundle, policy)
    if args.json:
        print(report_json(report))
    elif report["verified"]:
        shown = report["claim"] or report["erasure"]
        print("verified\n" + (json.dumps(shown, indent=2) if shown else report_json(report)))
    else:
        print(f"NOT verified: {report['failed_link']}: {reason}")
    return 0 if report["verified"] else 1


if __name__ == "__main__":
    sys.exit(main())
