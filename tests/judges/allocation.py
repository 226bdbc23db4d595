#!/usr/bin/env python3
"""Judges allocation lists and minimised allocations, written from docs/RANDOMISATION.md alone; standard library only.

    python3 allocation.py FOLDER

Recomputes from scheme and seed everything each *.json of FOLDER states: commitment, root, slots, disclosures, arms.
Prints how much it compared; exit status 1 and the file's name at the first disagreement.
"""

import base64
import hashlib
import json
import math
import pathlib
import struct
import sys

NAME = "trialseal/%s@v1 sha256\n"


# --- Bytes -------------------------------------------------------------------------------------------------------

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def u32(number):
    return struct.pack(">I", number)


def text(string):
    encoded = string.encode()
    return u32(len(encoded)) + encoded


def magic(name):
    return (NAME % name).encode()


def scheme_bytes(scheme):
    out = magic("allocation-scheme") + u32(len(scheme["arms"]))
    for arm in scheme["arms"]:
        out += text(arm["arm"]) + u32(arm["weight"])
    out += u32(len(scheme["factors"]))
    for factor in scheme["factors"]:
        out += text(factor["factor"]) + u32(len(factor["levels"])) + b"".join(map(text, factor["levels"]))
    (method, rules), = scheme["method"].items()
    if method == "simple":
        return out + b"\0" + u32(rules["slots"])
    if method == "permuted_blocks":
        return out + b"\1" + u32(rules["slots"])
    out += b"\2" + u32(len(rules["weights"])) + b"".join(map(u32, rules["weights"]))
    return out + u32(rules["probability_permille"]) + {"range": b"\0", "variance": b"\1"}[rules["measure"]]


def commitment(scheme, seed, sizes):
    encoded = scheme_bytes(scheme)
    parts = magic("allocation-commitment"), u32(len(encoded)), encoded, seed, u32(len(sizes)), *map(u32, sizes)
    return sha256(*parts)


def slot_bytes(slot):
    return magic("slot") + bytes.fromhex(slot["salt"]) + text(slot["stratum"]) + u32(slot["index"]) + text(slot["arm"])


# --- Merkle trees (RFC 6962 section 2.1) -------------------------------------------------------------------------

def split(leaves):
    return 1 << (len(leaves) - 1).bit_length() - 1


def tree_root(leaves):
    if len(leaves) == 1:
        return sha256(b"\0", leaves[0])
    k = split(leaves)
    return sha256(b"\1", tree_root(leaves[:k]), tree_root(leaves[k:]))


def tree_path(leaves, index):
    if len(leaves) == 1:
        return []
    k = split(leaves)
    if index < k:
        return tree_path(leaves[:k], index) + [tree_root(leaves[k:])]
    return tree_path(leaves[k:], index - k) + [tree_root(leaves[:k])]


# --- ChaCha20 (RFC 8439 section 2.3) -----------------------------------------------------------------------------

def quarter_round(s, a, b, c, d):
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = s[x] + s[y] & 0xFFFFFFFF
        mixed = s[z] ^ s[x]
        s[z] = (mixed << turn | mixed >> 32 - turn) & 0xFFFFFFFF


def chacha20_block(key, counter, nonce):
    state = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), counter, *struct.unpack("<3I", nonce)]
    s = list(state)
    for _ in range(10):
        for i in range(4):
            quarter_round(s, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter_round(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *(a + b & 0xFFFFFFFF for a, b in zip(s, state)))


class Keystream:
    def __init__(self, seed, label):
        self.seed, self.nonce = seed, sha256(magic("allocation-keystream"), label.encode())[:12]
        self.counter, self.rest = 0, b""

    def take(self, count):
        while len(self.rest) < count:
            self.rest += chacha20_block(self.seed, self.counter, self.nonce)
            self.counter += 1
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def below(self, n):
        while True:
            word, = struct.unpack("<I", self.take(4))
            if word < 2**32 // n * n:
                return word % n

    def pick(self, masses):
        r = self.below(sum(masses))
        return next(k for k in range(len(masses)) if r < sum(masses[: k + 1]))

    def shuffle(self, items):
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]


# --- Methods -----------------------------------------------------------------------------------------------------

def strata(scheme):
    """Names by index."""
    names = [[]]
    if "permuted_blocks" in scheme["method"]:
        for factor in scheme["factors"]:
            names = [name + [level] for name in names for level in factor["levels"]]
    return ["|".join(name) for name in names]


def stratum_arms(scheme, seed, sizes, stratum):
    (method, rules), = scheme["method"].items()
    weights = [arm["weight"] for arm in scheme["arms"]]
    keystream = Keystream(seed, f"arms {stratum}")
    if method == "simple":
        return [keystream.pick(weights) for _ in range(rules["slots"])]
    arms = []
    while len(arms) < rules["slots"]:
        size = sizes[keystream.below(len(sizes))]
        block = [arm for arm, weight in enumerate(weights) for _ in range(weight * size // sum(weights))]
        keystream.shuffle(block)
        arms += block
    return arms[: rules["slots"]]


def make_list(scheme, seed, sizes):
    salts = Keystream(seed, "salts")
    return [
        {"stratum": name, "index": index, "arm": scheme["arms"][arm]["arm"], "salt": salts.take(16).hex()}
        for stratum, name in enumerate(strata(scheme))
        for index, arm in enumerate(stratum_arms(scheme, seed, sizes, stratum))
    ]


def minimise(scheme, seed, earlier, levels):
    """The next arm; `earlier` has pairs of levels and arm index."""
    rules = scheme["method"]["minimisation"]
    w = [arm["weight"] for arm in scheme["arms"]]
    common = math.lcm(*w)

    def distance(factor, k):
        same = [arm for other, arm in earlier if other[factor] == levels[factor]]
        x = [(same.count(a) + (a == k)) * (common // w[a]) for a in range(len(w))]
        if rules["measure"] == "range":
            return max(x) - min(x)
        return len(w) * sum(value * value for value in x) - sum(x) ** 2

    imbalance = [sum(c * distance(f, k) for f, c in enumerate(rules["weights"])) for k in range(len(w))]
    keystream = Keystream(seed, f"step {len(earlier)}")
    preferred = keystream.pick([w[k] if imbalance[k] == min(imbalance) else 0 for k in range(len(w))])
    masses = [(1000 - rules["probability_permille"]) * weight for weight in w]
    masses[preferred] = 0
    masses[preferred] = 1000 * (sum(w) - min(w)) - sum(masses)
    return keystream.pick(masses)


# --- Judging -----------------------------------------------------------------------------------------------------

def judge(case):
    """Compares one file; returns how many slots, disclosures and minimised participants it had."""
    scheme, sizes = case["scheme"], case["secret"]["block_sizes"]
    seed = bytes.fromhex(case["secret"]["seed"])
    assert case["commitment"] == commitment(scheme, seed, sizes).hex(), "commitment"
    if "minimisation" in scheme["method"]:
        assert set(case) == {"scheme", "secret", "commitment", "participants"}, "fields"
        earlier = []
        for number, participant in enumerate(case["participants"]):
            arm = minimise(scheme, seed, earlier, participant["levels"])
            assert participant["arm"] == scheme["arms"][arm]["arm"], f"participant {number}"
            given = participant.get("given", participant["arm"])
            earlier.append((participant["levels"], [each["arm"] for each in scheme["arms"]].index(given)))
        return 0, 0, len(earlier)
    assert set(case) == {"scheme", "secret", "commitment", "root", "slots", "disclosures"}, "fields"
    slots = make_list(scheme, seed, sizes)
    assert case["slots"] == slots, "slots"
    leaves = [slot_bytes(slot) for slot in slots]
    assert case["root"] == tree_root(leaves).hex(), "root"
    for disclosure in case["disclosures"]:
        place = disclosure["place"]
        assert base64.b64decode(disclosure["slot"], validate=True) == leaves[place], f"slot at {place}"
        assert disclosure["path"] == [each.hex() for each in tree_path(leaves, place)], f"path of {place}"
    return len(slots), len(case["disclosures"]), 0


def main():
    vector = chacha20_block(bytes(range(32)), 1, bytes.fromhex("000000090000004a00000000"))
    assert vector.hex().startswith("10f1e7e4d13b5915500fdd1fa32071c4"), "RFC 8439 section 2.3.2"
    files = sorted(pathlib.Path(sys.argv[1]).glob("*.json"))
    totals = [0, 0, 0]
    for file in files:
        try:
            counts = judge(json.loads(file.read_text("utf-8")))
        except AssertionError as error:
            sys.exit(f"{file.name}: {error}")
        totals = [a + b for a, b in zip(totals, counts)]
    print(json.dumps(dict(zip(("files", "slots", "disclosures", "participants"), (len(files), *totals)))))


main()
