"""Writes tests/data/literals.txt: literals beside typed values, and formulas of literals alone.

    formula | x:dtype bits bits ... -> dtype bits bits ...      what the formula gives for those x
    formula | -> dtype bits                                     a formula without parameters
    formula | x:dtype -> error kind                             the class of the error (ErrorKind)

Formulas of literals alone are folded exactly, as Python does with its own numbers (Python evaluates them here); with an array
the literal takes the array's dtype (NEP 50), as numpy 2 does.
"""

import operator
import pathlib

import numpy as np

from generate_ops import hexadecimal
from rules import *

OUT = pathlib.Path(__file__).parent.parent / "tests/data/literals.txt"
I128 = (-(1 << 127), (1 << 127) - 1)

# Folded to the value that Python gives; `None` where an intermediate value leaves i128 or the result leaves i64 and u64.
ALONE = """
2**-1 | 7/2 | 7//2 | -7//2 | 7//-2 | -7 % 3 | 7 % -3 | 2**100 % 7 | (1 << 70) >> 68 | (1 << 100) // 3**60 | 1/3 | 10**20 // 10**18
2**3**2 | -2**2 | (-2)**2 | -2**-1 | 2**-1**2 | 7 // 2.0 | -7.5 // 2 | -7.5 % 2 | 7.5 % -2 | ~5 | -~5 | 5 & 3 | 6 | 1 | 5 ^ 3
6 - 2 - 1 | 8 / 2 / 2 | 1 + 2 << 3 | 1 << 2 + 1 | 5 & 3 == 1 | 1 < 2 | 2 <= 1 | 1 < 2 < 3 | 1 < 3 < 2 | 3 > 2 == 2 | not 0 | not 1 == 2
0 == -0 | 1 == 1.0 | 2**53 == 2**53 + 1 | 0.1 + 0.2 | 1e-3 | .5 | 1. | 1_000 | 0xff | 0o17 | 0b101 | 0xffff_ffff | 1e308 * 10 - 1e308 * 10
9223372036854775807 | 9223372036854775808 | 18446744073709551615 | -9223372036854775808 | 18446744073709551615 - 18446744073709551615
2**64 - 1 | 2**63 | -2**63 | 2**126 + (2**126 - 1) - 2**126 - 2**126 + 2 | (2**126 - 1) * 2 // 2**100 | 170141183460469231731687303715884105727 >> 100
1 if 2 > 1 else 3 | 1 if 0 else 3 | 0.5 if 1 else 2 | 3 + -2 | 3 - -2 | --2 | -+-2 | 2 * 3 % 4 | 2 ** 0.5 ** 0 | 2 ** 10 | 1.5e3 // 1
0 ** 0 | 0.0 ** 0 | 1 > 0.5 | 7 & 12 | 3 ^ 1 & 5 | 1 | 2 ^ 3 & 4 | 2 * 2 ** 3 | -3 ** 2 ** 0 | 100 >> 3 >> 1 | 1 << 3 << 1
True | False | 1 < 2 and 3 < 4 | 1 > 2 or 3 < 4
"""

ERRORS = """
18446744073709551616 | -9223372036854775809 | 1 << 70 | 2**64 | 2**127 | -2**127 | 2**200 % 7 | 170141183460469231731687303715884105728
10**40 // 10**39 | (2**126) * 2 * 2 // 2**100 | 1 << 127 | 1 << 1000
"""


def alone():
    for formula in (f.strip() for line in ALONE.strip().splitlines() for f in split(line)):
        value = eval(formula)  # noqa: S307: our own text
        if isinstance(value, bool):
            name = "bool"
        elif isinstance(value, float):
            name = "f64"
        else:
            name = "i64" if value < 1 << 63 else "u64"
        yield f"{formula} | -> {name} {hexadecimal(np.array([value], NUMPY[name]))[0]}"
    for name, value in {"pi": np.pi, "e": np.e, "tau": 2 * np.pi, "inf": np.inf, "nan": np.nan, "-inf": -np.inf}.items():
        yield f"{name} | -> f64 {hexadecimal(np.array([value]))[0]}"
    for formula in (f.strip() for line in ERRORS.strip().splitlines() for f in line.split(" | ")):
        yield f"{formula} | -> error DType"
    # Beyond Python, which raises: the table's rules for division by zero and out-of-range shifts.
    yield from ["1 // 0 | -> i64 0", "5 % 0 | -> i64 0", "1 / 0 | -> f64 7ff0000000000000", "-1 / 0 | -> f64 fff0000000000000",
                "1 << -1 | -> i64 0", "-5 >> 200 | -> i64 ffffffffffffffff", "5 >> 200 | -> i64 0"]


def split(line):
    """On ` | `, where it is not the operator: the formulas with one are whole lines' ends here."""
    parts, keep = line.split(" | "), []
    for part in parts:
        if keep and (keep[-1], part) in {("6", "1"), ("1", "2 ^ 3 & 4")}:
            keep[-1] = f"{keep[-1]} | {part}"
        else:
            keep.append(part)
    return keep


def samples(name):
    if name == "bool":
        return np.array([False, True])
    if name in FLOATS:
        return np.array([-0.0, 1.5, -2.5, np.inf, np.nan], NUMPY[name])
    low, high = int_range(name)
    return np.array([0, 1, 100, high, low], NUMPY[name])


def weak(name, literal):
    return NAME_OF[np.result_type(NUMPY[name], literal)]


def row(formula, x, result):
    name = NAME_OF[result.dtype]
    return f"{formula} | x:{NAME_OF[x.dtype]} {' '.join(hexadecimal(x))} -> {name} {' '.join(hexadecimal(result))}"


ARITHMETIC = {"+": np.add, "-": np.subtract, "*": np.multiply, "//": np.floor_divide, "%": np.remainder}
COMPARISONS = {"<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge}


def beside_arrays():
    for name in NAMES:
        x = samples(name)
        for literal in (1, 3, -1, 100, 300, -128, -129, 40000, 2**31, 2**40, 2**63, 2.5, 1e300, 16777217):
            low, high = int_range(weak(name, literal)) if weak(name, literal) in [*INTS, "bool"] else (None, None)
            for sign in ("+", "*", "-"):
                formula = f"x {sign} {literal}" if literal != 3 else f"{literal} {sign} x"
                if low is not None and not low <= literal <= high:
                    yield f"{formula} | x:{name} -> error DType"
                    continue
                dtype = NUMPY[weak(name, literal)]
                a, c = x.astype(dtype), dtype.type(literal)
                yield row(formula, x, ARITHMETIC[sign](c, a) if literal == 3 else ARITHMETIC[sign](a, c))
        for literal in (0, 1, 300, -1, -129, 2**40, 2**63, 2**64, -(2**63), 2**100, 2.5, 1e300, -1e300):
            for sign, compare in COMPARISONS.items():
                if name in FLOATS or isinstance(literal, float):
                    dtype = NUMPY[weak(name, float(literal))]
                    result = compare(x.astype(dtype), dtype.type(literal))
                else:
                    result = np.array([compare(int(v), literal) for v in x.tolist()])
                if sign in ("<", ">=", "=="):
                    yield row(f"x {sign} {literal}", x, result)
                else:
                    turned = {"<=": ">=", ">": "<", "!=": "!="}[sign]
                    yield row(f"{literal} {turned} x", x, result)


def functions():
    c = np.array([1, 2, 200], np.uint8)
    for formula in ("where(x > 1, x, 300)", "where(x > 1, -1, x)", "clip(x, 0, 300)", "clip(x, -1, 255)", "minimum(x, 300)",
                    "maximum(-1, x)", "300 if x else x", "x + 200 + 100 if 0 else x + 300", "x & 256", "x | -1", "256u8 + x",
                    "x // 256", "x % -3", "x + (200 + 100)", "a = 300; x + a", "x + 255 * 2"):
        yield f"{formula} | x:u8 -> error DType"
    for formula in ("x ** -1", "x ** -2", "2 ** -1 * 0 + x ** -1"):
        for name in ("i8", "i32", "u64"):
            yield f"{formula} | x:{name} -> error DType"
    yield row("where(x > 1, x, 255)", c, np.array([255, 2, 200], np.uint8))
    yield row("clip(x, 2, 100)", c, np.array([2, 2, 100], np.uint8))
    yield row("x + 200 - 100", c, np.array([101, 102, 44], np.uint8))
    yield row("200 - 100 + x", c, np.array([101, 102, 44], np.uint8))
    yield row("x + (300 - 100)", c, np.array([201, 202, 144], np.uint8))
    yield row("a = 2; x * a", c, np.array([2, 4, 144], np.uint8))
    yield row("a = 2; b = a ** 3; x * b", c, np.array([8, 16, 64], np.uint8))
    yield row("x + 300u16", c, np.array([301, 302, 500], np.uint16))
    yield row("x + 1i8", c, np.array([2, 3, 201], np.int16))
    yield row("x * 1f32", c, np.array([1, 2, 200], np.float32))
    yield row("x * 0.5", c, np.array([0.5, 1, 100], np.float64))
    yield row("x / 2", c, np.array([0.5, 1, 100], np.float64))
    yield row("2 ** x", c, np.array([2, 4, 0], np.uint8))
    yield row("x ** 2", c, c * c)
    yield row("x ** 2.0", c, c.astype(np.float64) ** 2)
    f = np.array([1.5, -2.0, 1e30], np.float32)
    for formula, literal in (("x * pi", np.pi), ("x * 0.1", 0.1), ("x * 1e300", np.inf), ("x * 16777217", 16777216), ("x * 1e-60", 0.0),
                             ("x * (1/3)", 1 / 3), ("x * 2**-1", 0.5), ("x * 1f32", 1), ("x * 0x10", 16), ("a = pi; x * a", np.pi),
                             ("x * 2**100", 2.0**100), ("x * (7 // 2)", 3), ("x * -0.5", -0.5), ("x * (0.1 + 0.2)", 0.1 + 0.2)):
        yield row(formula, f, f * np.float32(literal))
    yield row("x * 2f64", f, f.astype(np.float64) * 2)
    yield row("x + 1i32", f, f.astype(np.float64) + 1)
    yield row("x + 1i16", f, f + np.float32(1))
    yield row("0x1f32 + x", f, f + np.float32(7986))
    yield row("1.5f32 * x", f, f * np.float32(1.5))
    i = np.array([-7, 0, 7, 2147483647], np.int32)
    yield row("x + 1f32", i, i.astype(np.float64) + 1)
    yield row("x + 0.5", i, i.astype(np.float64) + 0.5)
    yield row("x * True", i, i)
    yield row("x + 0x10u8", i, i + np.int32(16))
    yield row("-x ** 2", i, -(i * i))
    yield row("2 ** -1 * x", i, i * 0.5)
    yield row("i8(x) + 1", i, i.astype(np.int8) + np.int8(1))
    yield row("x // 0", i, i * 0)
    yield row("x % 0", i, i * 0)
    yield row("x / 0", i, i / 0.0)


def main():
    lines = [*alone(), *beside_arrays(), *functions()]
    OUT.write_text("\n".join(["# generated by scripts/generate_literals.py", *lines]) + "\n")


if __name__ == "__main__":
    main()
