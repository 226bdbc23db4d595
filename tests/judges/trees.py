"""Judges Merkle trees: pymerkle's roots and inclusion proofs against ours, for every tree and every leaf in the file.

Usage: trees.py FILE, where FILE is JSON: a list of {"root": hex, "paths": [[hex, ...], ...]} for trees of 1, 2, 3, ...
leaves; leaf i is the decimal text of i.
"""

import json
import sys

from pymerkle import InmemoryTree


def main() -> None:
    with open(sys.argv[1], encoding="ascii") as file:
        ours = json.load(file)
    tree = InmemoryTree(algorithm="sha256")
    proofs = 0
    for size, expected in enumerate(ours, start=1):
        tree.append_entry(str(size - 1).encode())
        assert tree.get_root(size).hex() == expected["root"], f"root of {size}"
        assert len(expected["paths"]) == size
        for index, path in enumerate(expected["paths"], start=1):
            theirs = tree.prove_inclusion(index, size).serialize()["path"]
            theirs.remove(tree.get_leaf(index).hex())  # pymerkle's path holds the leaf itself as well
            assert sorted(theirs) == sorted(path), f"path of leaf {index} of {size}"
            proofs += 1
    print(json.dumps({"trees": len(ours), "proofs": proofs}))


main()
