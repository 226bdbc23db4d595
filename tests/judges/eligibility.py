"""Judges eligibility: cel-python, an implementation of CEL in Python, evaluates the same expressions over the same answers.

Usage: eligibility.py FILE, where FILE is JSON: {"items": {name: type}, "cases": [{"expression", "answers": [[item, value]],
"outcome"}]}. Answers are typed here from docs/ELIGIBILITY.md.
"""

import datetime
import json
import re
import sys

import celpy
import celpy.evaluation
from celpy import celtypes

# Only error messages hold these dumps, and dumping an expression with `?:` fails.
celpy.evaluation.tree_dump = lambda tree: ""

INTEGER = re.compile(r"-?[0-9]{1,18}")
DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]+)?")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def typed(kind: str, text: str) -> celtypes.Value | None:
    if not text or len(text.encode()) > 4096:
        return None
    if kind == "integer":
        return celtypes.IntType(text) if INTEGER.fullmatch(text) else None
    if kind == "decimal":
        return celtypes.DoubleType(text) if DECIMAL.fullmatch(text) else None
    if kind == "boolean":
        return {"true": celtypes.BoolType(True), "false": celtypes.BoolType(False)}.get(text)
    if kind == "date":
        return celtypes.StringType(text) if DATE.fullmatch(text) and is_day(text) else None
    return celtypes.StringType(text) if kind == "text" else None


def is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def outcome(environment: celpy.Environment, expression: str, variables: dict) -> str:
    program = environment.program(environment.compile(expression))
    try:
        result = program.evaluate(variables)
    except celpy.CELEvalError:
        return "undetermined"
    assert isinstance(result, celtypes.BoolType), f"{expression} is {result!r}"
    return "met" if result else "not_met"


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        judged = json.load(file)
    environment = celpy.Environment()
    counts: dict[str, int] = {}
    for case in judged["cases"]:
        values = {item: typed(judged["items"][item], text) for item, text in case["answers"]}
        variables = {item: value for item, value in values.items() if value is not None}
        theirs = outcome(environment, case["expression"], variables)
        assert theirs == case["outcome"], f"{theirs}: {case}"
        counts[theirs] = counts.get(theirs, 0) + 1
    print(json.dumps(counts))


main()
