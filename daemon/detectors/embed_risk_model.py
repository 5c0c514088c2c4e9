#!/usr/bin/env python3
"""embed_risk_model.py RISK_MODEL.json OUT.c: the coefficients as a C table, every number checked."""
import json
import math
import sys

READINGS = ("growth", "growth_rise", "layer_growth", "gradient", "loss_level", "loss_jump", "lr")
STEPS = 3


def number(value: object, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        sys.exit(f"risk model: {where} is {value!r}, expected a finite number")
    return repr(float(value))


def numbers(values: object, where: str) -> str:
    if not isinstance(values, list) or len(values) != STEPS:
        sys.exit(f"risk model: {where} is {values!r}, expected {STEPS} numbers")
    return "{" + ", ".join(number(value, where) for value in values) + "}"


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        model = json.load(file)
    if tuple(model["terms"]) != READINGS:
        sys.exit(f"risk model: terms are {tuple(model['terms'])}, expected {READINGS}")
    rows = []
    for name, term in model["terms"].items():
        if not term["low"] < term["high"] or not term["scale"] > 0:
            sys.exit(f"risk model: {name} expects low < high and scale > 0")
        fields = ", ".join(number(term[key], name) for key in ("low", "high", "center", "scale"))
        rows.append(f"        {{{fields}, {numbers(term['coefficients'], name)}}}, /* {name} */")
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write('#include "daemon/detectors/risk.h"\n\nconst struct risk_model risk_model = {\n'
                  f"    {int(model['version'])},\n"
                  f"    {numbers(model['intercepts'], 'intercepts')},\n    {{\n"
                  + "\n".join(rows) + "\n    },\n};\n")


if __name__ == "__main__":
    main()
