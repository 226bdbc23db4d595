"""Judges docs/COMPLIANCE.md: every test it names exists, every row is answered, no clause was left out.

Usage: compliance.py [ROOT], where ROOT is the repository; the one this file is in unless given.
Prints a count as JSON; exits 1 and names what is wrong, one line each, if anything is.
"""

import json
import re
import sys
from pathlib import Path

HEADER = ["clause", "what it asks", "what Trialseal does", "shown by"]
ANSWER = re.compile(r"no test\b|not done: \S|organisational: \S")
TEST = re.compile(r"([\w./-]+\.rs)::(\w+)")
LETTERS = "abcdefghijklmnopqrstuvwxyz"

# The clauses that must have a row, by the heading of their table. A row may go further: `11.10(k)(1)` answers 11.10(k).
CLAUSES = {
    "21 CFR Part 11": [
        *(f"11.10({letter})" for letter in LETTERS[:11]),
        *("11.50(a)", "11.50(b)", "11.70", "11.100(a)", "11.100(b)", "11.100(c)", "11.200(a)", "11.200(b)"),
        *(f"11.300({letter})" for letter in LETTERS[:5]),
    ],
    "ICH E6(R3)": [
        *(f"2.8.1({letter})" for letter in LETTERS[:5]),
        *(f"2.8.{number}" for number in range(2, 14)),
        *(f"3.16.1({letter})" for letter in LETTERS[:24]),
        *("4.1.4", "4.2.2(a)(i)", "4.2.2(a)(ii)", "4.2.2(a)(iii)", "4.2.2(b)", "4.2.2(c)", "4.2.2(d)", "4.2.2(e)"),
        *("4.2.3", "4.2.4", "4.2.5", *(f"4.3.3({letter})" for letter in LETTERS[:4])),
        *(f"4.3.4({letter})" for letter in LETTERS[:9]),
        *("4.3.5", "4.3.6", "4.3.7(a)", "4.3.7(b)", "4.3.8(a)", "4.3.8(b)", "4.3.8(c)"),
    ],
    "EMA computerised systems": [
        *(f"4.{number} " for number in range(1, 12)),
        *(f"5.{number} " for number in range(1, 6)),
        *(f"6.{number}" for number in range(1, 13)),
        *("Annex 1", "A2.", "A3.", "A4.", "A5.1", "A5.2", "A5.3", "Annex 6"),
    ],
    "ALCOA++": [
        *("Attributable", "Legible", "Contemporaneous", "Original", "Accurate"),
        *("Complete", "Consistent", "Enduring", "Available", "Traceable"),
    ],
}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def is_test(source: str, name: str) -> bool:
    """Whether `source` has a function `name` that the test harness runs: under `#[test]`, `#[tokio::test]` or alike."""
    attribute = r"#\[(?:\w+::)*test\b[^\]]*\]"
    between = r"(?:\s|#\[[^\]]*\]|//[^\n]*\n)*"
    return re.search(rf"{attribute}{between}(?:async\s+)?fn {name}\(", source) is not None


def missing_test(root: Path, path: str, name: str) -> str | None:
    file = (root / path).resolve()
    if not file.is_relative_to(root) or not file.is_file():
        return f"there is no {path}"
    if not is_test(file.read_text(encoding="utf-8"), name):
        return f"there is no test {name} in {path}"
    return None


def judge_row(root: Path, row: list[str]) -> list[str]:
    """What is wrong with a row."""
    if len(row) != len(HEADER):
        return [f"{len(row)} cells instead of {len(HEADER)}"]
    wrong = [f"nothing under {title!r}" for title, cell in zip(HEADER, row) if not cell]
    wrong += ["a test is still to be named" for cell in row if "TEST:" in cell]
    tests = TEST.findall(row[3])
    if not tests and not ANSWER.search(row[3]):
        wrong.append("neither a test nor one of: no test, not done: …, organisational: …")
    named = [test for cell in row for test in TEST.findall(cell)]
    return wrong + [fault for path, name in named if (fault := missing_test(root, path, name))]


def answers(row: str, clause: str) -> bool:
    """Whether the row of that name answers the clause: it is the clause, or goes further into it."""
    return row == clause or (row.startswith(clause) and (clause[-1] in " ." or not row[len(clause)].isalnum()))


def rows_by_heading(page: str) -> dict[str, list[tuple[int, list[str]]]]:
    """The rows of the tables with our header, by the heading they are under, each with its line number."""
    tables: dict[str, list[tuple[int, list[str]]]] = {}
    heading, inside = "", False
    for number, line in enumerate(page.splitlines(), start=1):
        if line.startswith("#"):
            heading = line.lstrip("#").strip()
        if not line.startswith("|"):
            inside = False
        elif cells(line) == HEADER:
            inside = True
            tables.setdefault(heading, [])
        elif inside and not re.fullmatch(r"[|\s:-]+", line):
            tables[heading].append((number, cells(line)))
    return tables


def judge(root: Path) -> tuple[list[str], dict[str, int]]:
    page = (root / "docs/COMPLIANCE.md").read_text(encoding="utf-8")
    tables = rows_by_heading(page)
    wrong = []
    for heading, rows in tables.items():
        names = [row[0] for _, row in rows]
        for number, row in rows:
            wrong += [f"line {number}, {row[0]}: {fault}" for fault in judge_row(root, row)]
        wrong += [f"{heading}: {name} has two rows" for name in sorted({name for name in names if names.count(name) > 1})]
    for heading, clauses in CLAUSES.items():
        names = [row[0] for _, row in tables.get(heading, [])]
        absent = (clause for clause in clauses if not any(answers(name, clause) for name in names))
        wrong += [f"{heading}: no row for {clause.strip()}" for clause in absent]
    rows = [row for table in tables.values() for _, row in table]
    tested = [row for row in rows if TEST.search(row[-1])]
    return wrong, {"rows": len(rows), "tested": len(tested), "tests": len(set(TEST.findall(page)))}


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2]
    wrong, counted = judge(root.resolve())
    for line in wrong:
        print(line, file=sys.stderr)
    print(json.dumps(counted))
    return 1 if wrong else 0


sys.exit(main())
