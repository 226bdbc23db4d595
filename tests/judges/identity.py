"""Judges identity tokens: recomputes the vectors from docs/ELIGIBILITY.md with Python's standard library alone.

Usage: identity.py VECTORS CHARACTERS, where VECTORS is docs/vectors/identity.json and CHARACTERS is JSON: a list of
[character, normalised], compared for every character that this Python's Unicode knows.
"""

import hashlib
import hmac
import json
import sys
import unicodedata

SPELT_OUT = {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ŧ": "t", "ŋ": "n", "ı": "i"}
APOSTROPHES = {*range(0x2B9, 0x2C0), 0xA78C}
VARIATION_SELECTORS = {*range(0x180B, 0x180E), 0x180F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}


def kept(character: str) -> bool:
    category = unicodedata.category(character)
    if category[0] == "M":
        sign = category != "Me" and unicodedata.combining(character) == 0
        return sign and ord(character) not in VARIATION_SELECTORS
    return category[0] == "N" or category[0] == "L" and ord(character) not in APOSTROPHES


def normalise(text: str) -> str:
    text = unicodedata.normalize("NFKD", text).casefold()
    return "".join(SPELT_OUT.get(character, character) for character in text if kept(character))


def record(line: str, fields: list[str]) -> bytes:
    encoded = [field.encode() for field in fields]
    return line.encode() + b"".join(len(field).to_bytes(4, "big") + field for field in encoded)


def token(key: bytes, message: bytes) -> str:
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def judge(key: bytes, vector: dict) -> None:
    names = [normalise(vector[name]) for name in ("given_name", "family_name")]
    message = record("trialseal/participation@v1\n", [*names, vector["birth_date"]])
    assert message.hex() == vector["normalised"], vector
    assert token(key, message) == vector["token"], vector
    if vector["national_id"] is None:
        assert vector["national_id_token"] is None, vector
    else:
        message = record("trialseal/participation-national-id@v1\n", [normalise(vector["national_id"])])
        assert token(key, message) == vector["national_id_token"], vector


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        vectors = json.load(file)
    key = bytes.fromhex(vectors["key"])
    for vector in vectors["vectors"]:
        judge(key, vector)
    with open(sys.argv[2], encoding="utf-8") as file:
        characters = json.load(file)
    known = [pair for pair in characters if unicodedata.category(pair[0]) != "Cn"]
    different = [f"U+{ord(character):04X}" for character, theirs in known if normalise(character) != theirs]
    assert not different, f"{len(different)} of {len(known)} characters differ: {' '.join(different[:50])}"
    print(json.dumps({"vectors": len(vectors["vectors"]), "characters": len(known)}))


main()
