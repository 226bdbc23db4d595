"""Judges FHIR Consents with PyPI `fhir.resources`: structure and data types of R4B (whose Consent is that of R4) and R5,
and every code that the package's own tables enumerate, which it lists but does not enforce.

Usage: fhir_consent.py FILE    FILE: JSON, a list of {"name", "release": "r4" | "r5", "resource"}
Prints an object: the name of each, and what is wrong with it.
"""

import json
import sys

from fhir.resources.consent import Consent as ConsentR5
from fhir.resources.R4B.consent import Consent as ConsentR4B
from pydantic import BaseModel, ValidationError

RELEASES = {"r4": ConsentR4B, "r5": ConsentR5}


def wrong_codes(model: BaseModel, path: str) -> list[str]:
    wrong = []
    for name, field in type(model).model_fields.items():
        value = getattr(model, name, None)
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        allowed = extra.get("enum_values")
        if allowed and value is not None and str(value) not in allowed:
            wrong.append(f"{path}.{name}: not one of {' '.join(allowed)}")
        for n, item in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(item, BaseModel):
                wrong += wrong_codes(item, f"{path}.{name}[{n}]")
    return wrong


def judge(case: dict) -> list[str]:
    try:
        model = RELEASES[case["release"]].model_validate_json(json.dumps(case["resource"]))
    except ValidationError as error:
        return [f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors()]
    return wrong_codes(model, "Consent")


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    print(json.dumps({case["name"]: judge(case) for case in cases}))


main()
