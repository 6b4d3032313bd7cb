#!/usr/bin/env python3
"""Measures errors against MPFR on many inputs, and notes them in docs/accuracy.csv.

    cargo build --release --example evaluate
    python scripts/measure_accuracy.py [--count N] [--dtype f64] [--fast] [--dry] [FUNCTION ...]

Functions of one argument in f64, functions of two in f64 and f32 (in f32 functions of one argument are measured for every
input by tests/accuracy). `--fast` measures what `Accuracy::Fast` gives, `--dry` prints only.
"""

import argparse
import pathlib
import random
import subprocess
import sys

import numpy
import true_values
from gmpy2 import mpfr
from true_values import FORMATS, FUNCTIONS

ROOT = pathlib.Path(__file__).parent.parent
RECORD = ROOT / "docs/accuracy.csv"
EVALUATE = ROOT / "target/release/examples/evaluate"
HEADER = "function,dtype,inputs,max_ulp,at,correctly_rounded,method"
TYPES = {"f64": numpy.float64, "f32": numpy.float32}
# Where lgamma's zeros between negative integers are, which no float is.
EXEMPT = {
    "lgamma": lambda row, true: row[0] < 0 and abs(true) < 0.5,
    # The same where e^x + e^y is nearly 1.
    "logaddexp": lambda row, true: row[0] < 0 and abs(true) < 1 / 4,
}


def evaluate(formula, form, rows, fast):
    columns = numpy.array(rows, dtype=TYPES[form.name]).T.copy()
    command = [EVALUATE, formula, form.name, *["fast"][:fast]]
    found = subprocess.run(command, input=columns.tobytes(), stdout=subprocess.PIPE, check=True)
    return numpy.frombuffer(found.stdout, TYPES[form.name]).tolist()


def ulps(got, true, form):
    """As in tests/accuracy/cases.rs: infinite for a wrong special value or sign."""
    nearest, rest = true_values.rounded(true, form)
    if got != got or nearest != nearest:
        return 0.0 if got != got and nearest != nearest else true_values.INF
    if (form.hex(got)[0] > "7") != (form.hex(nearest)[0] > "7"):
        return true_values.INF
    if got == nearest:
        return abs(rest)
    if abs(got) == true_values.INF or abs(nearest) == true_values.INF:
        return true_values.INF
    unit = max(true_values.gmpy2.get_exp(true) - form.bits, form.least)
    return abs(float(true_values.gmpy2.mul_2exp(mpfr(got) - true, -unit) if unit < 0 else (mpfr(got) - true) / 2**unit))


def measure(name, form, count, fast):
    function, rng = FUNCTIONS[name], random.Random(f"measure {name} {form.name}")
    rows = [*function.specials(form), *function.inputs(form, rng, count), *true_values.numpy_inputs(name, form)]
    if function.plain:
        rows = [row for row in rows if all(x == x and x not in (0, true_values.INF, -true_values.INF) for x in row)]
    worst, place, correct, near_zero = 0.0, rows[0], 0, 0.0
    for row, got in zip(rows, evaluate(true_values.formula(name), form, rows, fast), strict=True):
        true = function.true(*map(mpfr, row))
        error = ulps(got, true, form)
        correct += error <= 0.5
        if name in EXEMPT and EXEMPT[name](row, true):
            near_zero = max(near_zero, abs(float(mpfr(got) - true)))
        elif error > worst:
            worst, place = error, row
    return len(rows), worst, place, correct / len(rows), near_zero


def note(line):
    known = RECORD.read_text().splitlines()[1:] if RECORD.exists() else []
    lines = [old for old in known if old.split(",")[:2] != line.split(",")[:2]]
    RECORD.write_text("\n".join([HEADER, *sorted([*lines, line])]) + "\n")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("functions", nargs="*")
    options.add_argument("--count", type=int, default=200_000)
    options.add_argument("--dtype", choices=FORMATS)
    options.add_argument("--fast", action="store_true")
    options.add_argument("--dry", action="store_true")
    options = options.parse_args()
    for name in options.functions or FUNCTIONS:
        forms = [options.dtype] if options.dtype else ["f64"] if FUNCTIONS[name].arity == 1 else ["f64", "f32"]
        for form in map(FORMATS.get, forms):
            try:
                inputs, worst, place, correct, near_zero = measure(name, form, options.count, options.fast)
            except subprocess.CalledProcessError:
                print(f"{name}: the language lacks it", file=sys.stderr)
                break
            if near_zero:
                print(f"{name} {form.name}: near zeros the error is {near_zero:.3g} at most")
            place = "; ".join(map(repr, place))
            line = f"{name}{' (fast)' * options.fast},{form.name},{inputs},{worst:.4f},{place},{correct:.6f},random and hard inputs, MPFR"
            print(line, flush=True)
            if not options.dry:
                note(line)


if __name__ == "__main__":
    main()
