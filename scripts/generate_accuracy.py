#!/usr/bin/env python3
"""Writes tests/data/accuracy/<function>.txt: true values of the functions of the language, by MPFR.

A line is `x result rest`, of a function of two `x y result rest`: bits in hex, 16 digits for f64 and 8 for f32, the result
rounded to nearest, and what the true value exceeds it by, in hundredths of the true value's ulp. Names of functions as
arguments choose some.
"""

import pathlib
import random
import sys

import true_values
from gmpy2 import mpfr
from true_values import FORMATS, FUNCTIONS

OUT = pathlib.Path(__file__).parent.parent / "tests/data/accuracy"
COUNTS = {"f64": 180, "f32": 60}
NUMPY = {"f64": 80, "f32": 40}


def lines(name, form):
    function, rng = FUNCTIONS[name], random.Random(name + form.name)
    known = true_values.numpy_inputs(name, form)
    known = rng.sample(known, min(len(known), NUMPY[form.name]))
    seen = set()
    for row in [*function.specials(form), *function.inputs(form, rng, COUNTS[form.name]), *known]:
        key = " ".join(map(form.hex, row))
        is_special = any(x != x or x in (0, true_values.INF, -true_values.INF) for x in row)
        if key in seen or function.plain and is_special:
            continue
        seen.add(key)
        result, rest = true_values.rounded(function.true(*map(mpfr, row)), form)
        yield f"{key} {form.hex(result)} {round(rest * 100)}"


def main():
    OUT.mkdir(exist_ok=True)
    for name in sys.argv[1:] or FUNCTIONS:
        text = [line for form in FORMATS.values() for line in lines(name, form)]
        (OUT / f"{name}.txt").write_text("\n".join(text) + "\n")
        print(name, len(text), "rows")


if __name__ == "__main__":
    main()
