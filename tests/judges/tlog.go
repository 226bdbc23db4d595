// A judge of the chain that shares no code with it: the note and tlog packages of Go's checksum database (x/mod/sumdb).
//
//	tlog URL VKEY PROOFS
//
// reads the checkpoint and the tiles at URL, and the file PROOFS: a JSON object with published checkpoints, inclusion proofs and
// consistency proofs, which it checks against them. It prints what it checked as JSON, and fails at the first thing that is wrong.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The height of C2SP tiles: 256 hashes wide.
const height = 8

// Every how many leaves the judge makes and checks an inclusion proof of its own.
const step = 97

type proofs struct {
	Checkpoints []string `json:"checkpoints"`
	Inclusion   []struct {
		Size  int64       `json:"size"`
		Index int64       `json:"index"`
		Leaf  []byte      `json:"leaf"`
		Path  []tlog.Hash `json:"path"`
	} `json:"inclusion"`
	Consistency []struct {
		First  int64       `json:"first"`
		Second int64       `json:"second"`
		Hashes []tlog.Hash `json:"hashes"`
	} `json:"consistency"`
}

func must(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func need(holds bool, what string) {
	if !holds {
		fmt.Fprintln(os.Stderr, what)
		os.Exit(1)
	}
}

// tiles reads the tiles of a log over HTTP, each once.
type tiles struct {
	url  string
	kept map[string][]byte
}

func (t *tiles) fetch(name string) ([]byte, error) {
	if data, ok := t.kept[name]; ok {
		return data, nil
	}
	answer, err := http.Get(t.url + "/" + name)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", name, answer.Status)
	}
	if err == nil {
		t.kept[name] = data
	}
	return data, err
}

func (t *tiles) Height() int { return height }

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		// The checksum database has the height in its paths; C2SP tlog-tiles leaves it out.
		data, err := t.fetch(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// entries reads the entry bundle of `width` entries.
func (t *tiles) entries(index int64, width int) [][]byte {
	path := tlog.Tile{H: height, L: 0, N: index, W: width}.Path()
	data, err := t.fetch(strings.Replace(path, "tile/8/0/", "tile/entries/", 1))
	must(err, "entries")
	var entries [][]byte
	for len(data) > 0 {
		need(len(data) >= 2, "an entry bundle is cut short")
		length := int(binary.BigEndian.Uint16(data))
		need(len(data) >= 2+length, "an entry bundle is cut short")
		entries = append(entries, data[2:2+length])
		data = data[2+length:]
	}
	need(len(entries) == width, "an entry bundle has another number of entries than its name says")
	return entries
}

// open verifies a checkpoint's signature and reads its text.
func open(signed string, verifier note.Verifier) tlog.Tree {
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	must(err, "the checkpoint's signature")
	lines := strings.Split(opened.Text, "\n")
	need(len(lines) == 4 && lines[3] == "", "the checkpoint has other lines than origin, size and root")
	need(lines[0] == verifier.Name(), "the origin is not the key's name")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err, "the checkpoint's size")
	root, err := tlog.ParseHash(lines[2])
	must(err, "the checkpoint's root")
	return tlog.Tree{N: size, Hash: root}
}

func main() {
	need(len(os.Args) == 4, "usage: tlog URL VKEY PROOFS")
	file, err := os.ReadFile(os.Args[3])
	must(err, "proofs")
	var given proofs
	must(json.Unmarshal(file, &given), "proofs")
	verifier, err := note.NewVerifier(os.Args[2])
	must(err, "the chain's key")
	log := &tiles{url: os.Args[1], kept: map[string][]byte{}}
	signed, err := log.fetch("checkpoint")
	must(err, "the checkpoint")
	tree := open(string(signed), verifier)
	reader := tlog.TileHashReader(tree, log)

	leaves, proven := int64(0), 0
	for leaves < tree.N {
		width := tree.N - leaves
		if width > 1<<height {
			width = 1 << height
		}
		var indexes []int64
		for n := leaves; n < leaves+width; n++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, n))
		}
		hashes, err := reader.ReadHashes(indexes) // checked against the root
		must(err, "the tiles")
		for i, entry := range log.entries(leaves>>height, int(width)) {
			n := leaves + int64(i)
			need(tlog.RecordHash(entry) == hashes[i], fmt.Sprintf("entry %d is not under its leaf hash", n))
			if n%step == 0 || n == tree.N-1 {
				proof, err := tlog.ProveRecord(tree.N, n, reader)
				must(err, "proving inclusion")
				must(tlog.CheckRecord(proof, tree.N, tree.Hash, n, hashes[i]), "inclusion")
				proven++
			}
		}
		leaves += width
	}

	roots := map[int64]tlog.Hash{tree.N: tree.Hash}
	for _, signed := range given.Checkpoints {
		older := open(signed, verifier)
		need(older.N <= tree.N, "a checkpoint is of more blocks than the chain has")
		roots[older.N] = older.Hash
		if older.N > 0 {
			hash, err := tlog.TreeHash(older.N, reader)
			must(err, "the root of an older checkpoint")
			need(hash == older.Hash, "an older checkpoint has another root than the tiles")
			proof, err := tlog.ProveTree(tree.N, older.N, reader)
			must(err, "proving consistency")
			must(tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash), "consistency")
		}
	}
	for _, proof := range given.Inclusion {
		root, known := roots[proof.Size]
		need(known, "an inclusion proof is under a size that is no checkpoint's")
		leaf := tlog.RecordHash(proof.Leaf)
		must(tlog.CheckRecord(proof.Path, proof.Size, root, proof.Index, leaf), "an inclusion proof")
		other := tlog.RecordHash(append(append([]byte{}, proof.Leaf...), 0))
		need(tlog.CheckRecord(proof.Path, proof.Size, root, proof.Index, other) != nil, "another leaf is proven too")
	}
	for _, proof := range given.Consistency {
		old, knownOld := roots[proof.First]
		root, known := roots[proof.Second]
		need(known && knownOld, "a consistency proof is between sizes that are no checkpoints'")
		must(tlog.CheckTree(proof.Hashes, proof.Second, root, proof.First, old), "a consistency proof")
		old[0] ^= 1
		need(tlog.CheckTree(proof.Hashes, proof.Second, root, proof.First, old) != nil, "another old root is proven too")
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"size": tree.N, "entries": leaves, "proven": proven, "checkpoints": len(given.Checkpoints),
		"inclusion": len(given.Inclusion), "consistency": len(given.Consistency),
	})
}
