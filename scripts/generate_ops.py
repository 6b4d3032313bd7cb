"""Writes tests/data/ops/*.txt: what every operation gives at edge values, bit for bit.

The head of a file numbers lists of values, as bits in hex:

    @0 bits bits ...

Then come groups:

    formula | name:dtype name:dtype -> dtype
    name @0                      the edge values of each operand
    = bits bits ...              the results for the cross product, the last operand varying fastest
    ...                          (a line for each value of the first operands; bools without spaces)

Any NaN is written as the positive quiet one. See rules.py for where the values come from.
"""

import itertools
import math
import pathlib
import random

import numpy as np

from rules import *

OUT = pathlib.Path(__file__).parent.parent / "tests/data/ops"
NAN, INF = float("nan"), float("inf")


def array(name, values):
    return np.array(list(values), NUMPY[name])


def ints_in(name, values):
    """Those of `values` that the dtype holds, each once."""
    low, high = int_range(name)
    return array(name, dict.fromkeys(v for v in values if low <= v <= high))


def floats_in(name, values):
    limits = np.finfo(NUMPY[name])
    special = {"tiny": limits.smallest_subnormal, "normal": limits.smallest_normal, "max": limits.max,
               "eps": 1 + limits.eps, "below": 1 - limits.epsneg, "subnormal": limits.smallest_normal / 2,
               "whole": 2.0 ** limits.nmant + 1, "half": 2.0 ** (limits.nmant - 1) + 0.5}
    value = lambda v: -special[v[1:]] if str(v).startswith("-") and v[1:] in special else special.get(v, v)
    return array(name, [v if isinstance(v, float) else value(v) for v in values])


def unary(name):
    low, high = int_range(name) if name not in FLOATS else (0, 0)
    if name == "bool":
        return array(name, [False, True])
    if name in INTS:
        w = width(name)
        near = [0, 1, 2, 3, 5, 10, 100, low, low + 1, high, high - 1, high // 2, high // 2 + 1, high // 3]
        powers = [1 << k for k in range(0, w, max(1, w // 8))]
        large = [(1 << 24) + 1, (1 << 53) + 1, (1 << 53) + 3, (1 << 62) + 1]
        values = near + powers + large
        return ints_in(name, values + [-v for v in values] + [-1 - v for v in powers])
    positive = [0.0, "tiny", "subnormal", "normal", 0.1, 0.25, "below", 0.5, 0.75, 1.0, "eps", 1.5, 2.0, 2.5, 3.0, 3.5, 7.0, 45.0,
                100.625, 180.0, 1e6, "half", "whole", 1e10, 1e30, "max", INF, 127.5, 128.0, 255.0, 256.0, 32768.0, 65535.5,
                2147483520.0, 2147483648.0, 4294967040.0, 4294967296.0, 9223371487098961920.0, 9223372036854775808.0,
                18446742974197923840.0, 18446744073709551616.0, 0.49999997, 0.49999999999999994]
    return floats_in(name, positive + [f"-{v}" if isinstance(v, str) else -v for v in positive] + [NAN])


def binary(name):
    if name == "bool":
        return unary(name)
    if name in FLOATS:
        return floats_in(name, [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -3.0, 0.1, "tiny", "-subnormal", "whole", "max", INF, -INF, NAN])
    low, high = int_range(name)
    large = [(1 << 53) + 1] if width(name) == 64 else [100]
    values = [0, 1, 2, 3, 7, high, high - 1, high // 2 + 1, -1, -2, -7, low, low + 1] + large
    return ints_in(name, values)


def few(name):
    """For pairs of different dtypes."""
    if name == "bool":
        return unary(name)
    if name in FLOATS:
        return floats_in(name, [-0.0, 2.5, "-whole", NAN])
    low, high = int_range(name)
    return ints_in(name, [1, high, low, high // 2 + 2])


def three(name):
    if name in FLOATS:
        return floats_in(name, [0.0, -0.0, 1.5, "-eps", "eps", "max", "-tiny", NAN])
    return few(name)


def shift_counts(name):
    w = width(name)
    low, high = int_range(name)
    return ints_in(name, [0, 1, 3, w - 1, w, w + 1, high, -1, low]) if name != "bool" else unary(name)


def exponents(name):
    low, high = int_range(name)
    return ints_in(name, [0, 1, 2, 3, 5, 7, 31, 64, high, -1, -2, low]) if name != "bool" else unary(name)


def conditions(name):
    if name == "bool":
        return unary(name)
    return floats_in(name, [0.0, -0.0, "tiny", NAN]) if name in FLOATS else ints_in(name, [0, 1, int_range(name)[0]])


def hexadecimal(values):
    values = np.asarray(values)
    name = NAME_OF[values.dtype]
    values = positive_nan(values)
    if name == "bool":
        return [str(int(v)) for v in values]
    return [f"{v:x}" for v in values.view(f"u{values.itemsize}").tolist()]


def group(formula, names, edges, result_name, values):
    """`edges` is an array for each name; `values` takes their cross product, flattened."""
    rows = list(itertools.product(*[range(len(e)) for e in edges]))
    columns = [edge[[row[k] for row in rows]] for k, edge in enumerate(edges)]
    result = np.asarray(values(*columns))
    assert result.dtype == NUMPY[result_name], (formula, names, result.dtype, result_name)
    header = " ".join(f"{name}:{NAME_OF[edge.dtype]}" for name, edge in zip(names, edges))
    lines = [f"{formula} | {header} -> {result_name}"]
    lines += [" ".join([name, *hexadecimal(edge)]) for name, edge in zip(names, edges)]
    result, line = hexadecimal(result), len(edges[-1]) if len(edges) > 1 else len(result)
    between = "" if result_name == "bool" else " "
    lines += ["= " + between.join(result[k : k + line]) for k in range(0, len(result), line)]
    return lines


def edge_sets(op, names):
    if op.edges == "shift":
        return [binary(names[0]), shift_counts(names[1])] if len(set(names)) == 1 else [few(names[0]), shift_counts(names[1])]
    if op.edges == "power":
        return [binary(names[0]), exponents(names[1])] if len(set(names)) == 1 else [few(names[0]), exponents(names[1])]
    if op.edges == "select":
        return [conditions(n) if o == "c" else few(n) for o, n in zip(op.operands, names)]
    if op.edges == "clip":
        return [three(n) for n in names]
    if op.edges == "few" or len(set(names)) > 1 or (op.edges == "floats" and names[0] not in FLOATS):
        return [few(n) for n in names]
    return [{1: unary, 2: binary, 3: three}[len(names)](n) for n in names]


def signatures(op):
    """Every dtype alone; every pair of two different ones; for selections each condition and each pair of sides."""
    for a in op.takes:
        if op.edges == "select":
            yield from ([a if o == "c" else other for o in op.operands] for other in ("f64", "i8"))
            yield [("bool" if o == "c" else a) for o in op.operands]
        else:
            yield [a] * len(op.operands)
    if op.mixed and len(op.operands) == 2:
        yield from ([a, b] for a in op.takes for b in op.takes if a != b)
    if op.edges == "select" and op.mixed:
        yield from (["bool", a, b] for a in op.takes for b in op.takes if a != b)


def ops():
    files = {}
    for op in OPS:
        for names in dict.fromkeys(tuple(s) for s in signatures(op)):
            result = op.dtype(*names)
            if result is None or (op.formula == "x ** y" and result in FLOATS):
                continue
            files.setdefault(op.file, []).extend(group(op.formula, op.operands, edge_sets(op, names), result, op.values))
    return files


def casts():
    lines = []
    for source, target in itertools.product(NAMES, NAMES):
        convert = lambda x: as_dtype(x, target)
        formula = f"astype(x, {target})" if NAMES.index(source) % 2 else f"{target}(x)"
        lines += group(formula, ["x"], [unary(source)], target, convert)
        if source != "bool" and target != "bool" and width(source) == width(target):
            bits = lambda x: positive_nan(x).view(NUMPY[target])
            lines += group(f"bitcast(x, {target})", ["x"], [unary(source)], target, bits)
    return lines


def constants():
    """Division, remainder and shifts by a literal: other code than by a value."""
    lines = []
    for name in INTS:
        low, high = int_range(name)
        dividends = np.concatenate([binary(name), array(name, (random.randint(low, high) for _ in range(8)))])
        divisors = [1, 2, 3, 5, 7, 10, 16, 100, high, high // 2 + 1, -1, -2, -3, -7, -10, -16, low, low + 1, 0]
        divisors += [641, 1000, 1_000_000_007, (1 << 53) + 1]
        for d in ints_in(name, divisors).tolist():
            for formula, function in ((f"x // {d}", floor_divide), (f"x % {d}", remainder)):
                values = lambda x: ints(lambda n, v: function(n, v, d))(name, x)
                lines += group(formula, ["x"], [dividends], name, values)
        for k in dict.fromkeys([0, 1, 7, width(name) - 1, width(name), 100]):
            for formula, function in ((f"x << {k}", shift_left), (f"x >> {k}", shift_right)):
                values = lambda x: ints(lambda n, v: function(n, v, k))(name, x)
                lines += group(formula, ["x"], [binary(name)], name, values)
        for k in (0, 1, 2, 3, 5, 16, 31):
            values = lambda x: ints(lambda n, v: power(n, v, k))(name, x)
            lines += group(f"x ** {k}", ["x"], [binary(name)], name, values)
    for name in FLOATS:
        x = unary(name)
        lines += group("x ** 2", ["x"], [x], name, lambda x: x * x)
        for literal in (2, 3.0, -0.1, 1e-300):
            c = NUMPY[name].type(literal)
            lines += group(f"x / {literal}", ["x"], [x], name, lambda x: x / c)
            lines += group(f"x // {literal}", ["x"], [x], name, lambda x: x // c)
            lines += group(f"x % {literal}", ["x"], [x], name, lambda x: x % c)
            lines += group(f"{literal} - x", ["x"], [x], name, lambda x: c - x)
        for digits in (0, 1, 2, -2):
            lines += group(f"round(x, {digits})", ["x"], [x], name, lambda x: np.round(x, digits))
    return lines


def powers():
    """Float powers that no rounding touches: C99's special values, and results far out of range."""
    lines = []
    for name in FLOATS:
        x = floats_in(name, [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, "eps", "max", "-max", "tiny", INF, -INF, NAN])
        y = floats_in(name, [0.0, -0.0, 3.0, -3.0, 4.0, -4.0, 0.5, -0.5, "max", "-max", INF, -INF, NAN, 2.0**40 + 1, "half"])
        for base in x:
            special = lambda e: not np.isfinite(r := np.power(base, e)) or r == 0 or e == 0 or abs(base) == 1
            exact = [e for e in y if special(e)]
            values = lambda b, e: np.power(b, e)
            lines += group("x ** y", ["x", "y"], [np.array([base]), np.array(exact)], name, values)
    return lines


def chains():
    """Precedence, chained comparison and mixed dtypes in one formula, against the same expression on numpy arrays."""
    lines = []
    cases = [
        ("a < b < c", ["i8"] * 3, "bool", lambda a, b, c: (a < b) & (b < c)),
        ("a < b <= c != a", ["f32"] * 3, "bool", lambda a, b, c: (a < b) & (b <= c) & (c != a)),
        ("not a < b and c or a", ["i8", "f32", "bool"], "bool",
         lambda a, b, c: (~(a.astype("f4") < b) & c) | (a != 0)),
        ("-a ** 2 + b * -c", ["f64"] * 3, "f64", lambda a, b, c: -(a * a) + b * -c),
        ("a | b ^ c & ~a", ["u16"] * 3, "u16", lambda a, b, c: a | (b ^ (c & ~a))),
        ("a - b - c", ["f32"] * 3, "f32", lambda a, b, c: (a - b) - c),
        ("a * b / c", ["f64"] * 3, "f64", lambda a, b, c: (a * b) / c),
        ("a + b << c & 7", ["u8"] * 3, "u8", lambda a, b, c: ints(shift_left)("u8", a + b, c) & np.uint8(7)),
        ("(a + b) * c", ["i8", "i16", "f32"], "f32", lambda a, b, c: (a.astype("i2") + b).astype("f4") * c),
        ("a * b + c", ["i8", "u8", "i64"], "i64", lambda a, b, c: (a.astype("i2") * b).astype("i8") + c),
        ("a / b if c else a", ["i32", "f32", "u8"], "f64",
         lambda a, b, c: np.where(c != 0, a.astype("f8") / b.astype("f8"), a.astype("f8"))),
    ]
    for formula, names, result, values in cases:
        lines += group(formula, ["a", "b", "c"], [binary(n)[::2] for n in names], result, values)
    return lines


def remainder_to_nearest(x, y):
    """C99's remainder; exact, so that f32 may go through f64."""
    special = not np.isfinite(x) or np.isnan(y) or y == 0
    return NAN if special else math.remainder(float(x), float(y))


def floats():
    """Functions of floats' own structure."""
    lines = []
    with np.errstate(all="ignore"):
        for name in FLOATS:
            x, kind = unary(name), NUMPY[name].type
            y = binary(name)
            largest = kind(np.finfo(NUMPY[name]).max)
            to_nearest = np.vectorize(remainder_to_nearest, otypes=[NUMPY[name]])
            lines += group("nextafter(x, y)", ["x", "y"], [y, y], name, np.nextafter)
            lines += group("ieee_remainder(x, y)", ["x", "y"], [x, y], name, to_nearest)
            lines += group("isclose(x, y)", ["x", "y"], [x, y], "bool", np.isclose)
            lines += group("nan_to_num(x)", ["x"], [x], name, lambda x: np.nan_to_num(x, posinf=largest, neginf=-largest))
            lines += group("relu(x)", ["x"], [x], name, lambda x: np.where(x > 0, x, np.where(np.isnan(x), x, kind(0))))
            counts = np.array([0, 1, -1, 52, -52, -126, -127, -149, -150, -969, -1021, -1022, -1023, -1074, -1075, -1100, 127, 1023, 1024, 2046, -2098, 5000, -5000, 2**31 - 1, -(2**31)], "i4")
            lines += group("ldexp(x, n)", ["x", "n"], [x, counts], name, np.ldexp)
    return lines


def with_sets(lines):
    """Names the operands' values once at the head of the file: they come again and again."""
    sets = {}
    refer = lambda line: f"{line.split()[0]} @{sets.setdefault(line.split(' ', 1)[1], len(sets))}"
    lines = [line if line.startswith("=") or "|" in line else refer(line) for line in lines]
    return [f"@{number} {values}" for values, number in sets.items()] + lines


def main():
    random.seed(1)
    files = ops() | {"casts": casts(), "constants": constants(), "powers": powers(), "chains": chains(), "floats": floats()}
    OUT.mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        (OUT / f"{name}.txt").write_text("\n".join(["# generated by scripts/generate_ops.py", *with_sets(lines)]) + "\n")


if __name__ == "__main__":
    main()
