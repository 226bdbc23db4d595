"""Judges a deployment by what its clients were told: nothing lost, twice, missing, forked, or captured without consent.

    checker.py TOLD --snapshot DIR                                      what was read before
    checker.py TOLD --endpoints FILE --policy FILE [--write DIR]        read it now, and keep it in DIR

Prints a report as JSON (`--readable`: for people). Exits 1 if any of the zeros is not zero, 2 if something cannot be read.

Written from `docs/PROOF.md`; it shares code with the other judges only. TOLD holds what the load generator appended:
`studies.jsonl` (study, root_key, auditor, auditor_key), `commands.jsonl` (one line for each attempt, answer and refusal)
and `checkpoints.jsonl` (what anchoring and the witnesses showed). The format of a snapshot is in `snapshot.py`.
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import snapshot
import verify_bundle as v
from journals import BOUND_MS, Chain, Study, stream_of

LISTED = 200
ZEROS = {
    "lost": "acknowledged or on the chain, and not in the journal; or acknowledged, and not on the chain in the end",
    "duplicated": "a request, a number or a command recorded twice",
    "gaps": "numbers, previous hashes, times or blocks that do not follow each other",
    "forks": "checkpoints that are not of one chain",
    "hashes": "what is stored is not what was sealed",
    "signatures": "a signature that does not verify, or of nobody entitled to sign",
    "consent": "captured without a consent in force, or too long after it ended",
}


class Report:
    def __init__(self):
        self.found = dict.fromkeys(ZEROS, 0)
        self.counted = defaultdict(int)
        self.findings = []

    def find(self, zero, what, study=None, service=None, number=None):
        self.found[zero] += 1
        if len(self.findings) < LISTED:
            self.findings.append({"zero": zero, "study": study, "service": service, "entry": number, "what": what})

    def most(self, name, value):
        self.counted[name] = max(self.counted[name], value)

    def as_json(self):
        clean = not any(self.found.values())
        return {"clean": clean, "found": self.found, "counted": dict(self.counted), "findings": self.findings}


def lines(path):
    """The lines of a file of JSON lines; the last one may have been cut off by a crash of its writer."""
    found = []
    with open(path, "rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                found.append(json.loads(line))
    return found


# --- What clients were told ----------------------------------------------------------------------------------------------


class Told:
    """Each command as its client saw it: first asked for when, and answered with what."""

    def __init__(self, report, events, studies, receipt_keys, taken):
        self.report, self.studies, self.keys, self.taken = report, studies, receipt_keys, taken
        self.commands = {}
        for event in events:
            self.take(event)
        counted = report.counted
        counted["commands"] = len(self.commands)
        counted["acknowledged"] = sum(command.receipt is not None for command in self.commands.values())
        counted["refused"] = sum(command.refused for command in self.commands.values())

    def take(self, event):
        asked = (event["study"], event["service"], event["request"])
        command = self.commands.get(asked)
        if event["event"] == "attempt":
            if command is None:
                command = SimpleNamespace(**event, receipt=None, answered=None, refused=False, number=None)
                self.commands[asked] = command
            else:
                self.report.counted["attempts_again"] += 1
        elif event["event"] == "acknowledged":
            if command.receipt is not None and command.receipt["entry"] != event["receipt"]["entry"]:
                self.report.find("duplicated", "one request, two entries", event["study"], event["service"])
            command.receipt, command.answered, command.refused = event["receipt"], event["at"], False
        elif event["event"] == "refused":
            command.refused = True

    def judge(self):
        numbers = {}
        for command in self.commands.values():
            study = self.studies.get(command.study)
            if study is None:
                continue
            if command.receipt is not None:
                self.promise(command, study, numbers)
            elif command.refused and (command.service, command.request) in study.requests:
                self.report.counted["recorded_though_refused"] += 1
            elif (command.service, command.request) in study.requests:
                self.report.counted["recorded_unanswered"] += 1
        self.withdrawals()

    def promise(self, command, study, numbers):
        """A receipt: signed, for this command, and its entry is there; whether in time is told, not condemned."""
        data = v.unbase64(command.receipt["entry"])
        where = {"study": command.study, "service": command.service}
        try:
            entry = v.read_entry(data)
        except v.Refused as refusal:
            return self.report.find("signatures", f"a receipt for no entry: {refusal}", **where)
        command.number = where["number"] = entry.number
        anchored_by = self.signed(command.receipt, data)
        if anchored_by is None:
            self.report.find("signatures", "its receipt does not verify", **where)
        if entry.envelope.hex() != command.envelope or entry.stream != stream_of(command.study, command.service):
            self.report.find("signatures", "its receipt is for another command", **where)
        if numbers.setdefault((entry.stream, entry.number), command.request) != command.request:
            self.report.find("duplicated", "two requests were given this number", **where)
        recorded = study.journals[command.service].get(entry.number)
        if recorded is None or recorded.bytes != data:
            return self.report.find("lost", "was acknowledged, and is not in the journal", **where)
        block = getattr(recorded, "block", None)
        if block is None:
            self.report.counted["not_on_the_chain"] += 1
            if anchored_by is not None and anchored_by < self.taken:
                self.report.find("lost", "was acknowledged, and is on no chain though that was promised and waited for", **where)
        elif anchored_by is not None and block.time > anchored_by:
            self.report.counted["on_the_chain_late"] += 1
            self.report.most("latest_on_the_chain_ms", block.time - anchored_by)

    def signed(self, receipt, data):
        """docs/PROOF.md, section 16: by when the entry is on the chain, or None."""
        try:
            text, _, tail = receipt["note"].rpartition("\n\n")
            first, size, root, by = text.split("\n")
            v.need(first == "trialseal/receipt@v1 sha256", "a note about something else")
            message = (text + "\n").encode()
            verified = False
            for line in tail.split("\n")[:-1]:
                dash, name, signature = line.split(" ", 2)
                signature = v.unbase64(signature)
                for key in self.keys:
                    if (dash, name, signature[:4]) == ("\u2014", key.name, key.id):
                        v.need(v.ed25519_verifies(key.public, signature[4:], message), "a signature that is wrong")
                        verified = True
            v.need(verified, "not signed")
            path = [bytes.fromhex(h) for h in receipt["path"]]
            v.need(v.included(v.leaf(data), receipt["index"], v.decimal(size), path, v.unbase64(root)), "not in the group")
            return v.decimal(by)
        except (v.Refused, ValueError):
            return None

    def withdrawals(self):
        """Nothing first asked for later than the bound after a withdrawal was acknowledged is captured on the old consent."""
        changes = defaultdict(list)
        for command in self.commands.values():
            if command.kind in ("give-consent", "withdraw-consent"):
                changes[command.study, command.participant].append(command)
        for command in self.commands.values():
            if command.kind != "submit-form" or command.receipt is None:
                continue
            of = changes[command.study, command.participant]
            ended = [c for c in of if c.kind == "withdraw-consent" and c.answered is not None and c.answered <= command.at]
            if not ended:
                continue
            last = max(ended, key=lambda c: c.number)
            # Consent asked for anew before the answer may have been in force, whether or not its own answer arrived.
            anew = [c for c in of if c.kind == "give-consent" and c.at <= command.answered
                    and (c.number is None or c.number > last.number)]
            if anew:
                continue
            age = command.at - last.answered
            self.report.counted["captured_within_the_bound"] += 1
            self.report.most("longest_after_a_withdrawal_ms", age)
            if age > BOUND_MS:
                what = f"asked for {age} ms after the withdrawal was acknowledged, and captured"
                self.report.find("consent", what, command.study, "capture", command.number)


# --- The report ------------------------------------------------------------------------------------------------------------


def judge(told, shot):
    report = Report()
    policy = v.read_policy(shot.policy.encode())
    receipt_keys = [v.read_verifier_key(line.split()[1]) for line in shot.policy.split("\n") if line.startswith("receipt ")]
    chain = Chain(report, policy, shot, lines(told / "checkpoints.jsonl"))
    studies = {}
    for founded in lines(told / "studies.jsonl"):
        studies[founded["study"]] = study = Study(report, chain, shot, founded)
        study.judge()
    Told(report, lines(told / "commands.jsonl"), studies, receipt_keys, shot.taken).judge()
    return report.as_json()


def readable(report):
    text = [f"  {name.replace('_', ' ')}: {count}" for name, count in sorted(report["counted"].items())]
    text += [f"  {count:>6}  {zero}: {ZEROS[zero]}" for zero, count in report["found"].items()]
    for found in report["findings"]:
        where = " ".join(str(found[field]) for field in ("study", "service", "entry") if found[field] is not None)
        text.append(f"  ✗ {found['zero']}: {where}: {found['what']}")
    return "\n".join([*text, "ALL ZEROS" if report["clean"] else "NOT ALL ZEROS"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("told", type=Path)
    parser.add_argument("--snapshot", type=Path)
    parser.add_argument("--endpoints", type=Path)
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--patience", type=float, default=60.0, help="seconds to wait until all is on the chain")
    parser.add_argument("--readable", action="store_true")
    args = parser.parse_args()
    if (args.snapshot is None) == (args.endpoints is None) or (args.endpoints is None) != (args.policy is None):
        parser.error("give either --snapshot or --endpoints and --policy")
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.snapshot or args.write or Path(temporary)
        if args.snapshot is None:
            snapshot.take(args.told, args.endpoints, args.policy, folder, args.patience)
        report = judge(args.told, snapshot.Snapshot(folder))
    print(readable(report) if args.readable else json.dumps(report, indent=1))
    return 0 if report["clean"] else 1


if __name__ == "__main__":
    sys.exit(main())
