"""Reductions and what they give: tests/data/reductions.txt, for tests/reductions.rs.

Usage: python3 scripts/generate_reductions.py   (numpy 2 or later)

    array NAME DTYPE SHAPE BITS        elements in C order, hexadecimal
    case FORMULA | ARRAY | DTYPE SHAPE BITS
    near FORMULA | ARRAY | DTYPE SHAPE BOUND VALUES
    error FORMULA | ARRAY | CODE
    golden FORMULA DTYPE LENGTH BITS   of `pattern` below

A case is exact. Integers, bools, min, max, any, all, counts and positions are numpy's. Sums and products of floats, and
what divides them, are those of the language's tree, which `tree` writes down. What is near is numpy's or Python's in f64,
within BOUND.
"""

import math
import pathlib
import warnings

import numpy as np

warnings.simplefilter("ignore")
np.seterr(all="ignore")
NAMES = {
    "bool": "?", "i8": "i1", "i16": "i2", "i32": "i4", "i64": "i8", "u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8",
    "f32": "f4", "f64": "f8",
}
NAME_OF = {np.dtype(code): name for name, code in NAMES.items()}
random = np.random.default_rng(5)
lines = []


def tree(values, add):
    """The fixed tree: element i of a block of 4,096 goes to accumulator i mod 16 (in f64 for floats), accumulators fold
    by halves, the results of blocks pairwise by index."""
    nothing = -0.0 if add is np.add else 1.0
    if values.size == 0:
        return np.float64(0.0 if add is np.add else 1.0)
    results = []
    for start in range(0, values.size, 4096):
        block = values[start : start + 4096].astype(np.float64)
        block = np.concatenate([block, np.full(-block.size % 16, nothing)]).reshape(-1, 16)
        lanes = np.full(16, nothing)
        for row in block:
            lanes = add(lanes, row)
        for half in (8, 4, 2, 1):
            lanes = add(lanes[:half], lanes[half : 2 * half])
        results.append(lanes[0])
    while len(results) > 1:
        pairs = [add(a, b) for a, b in zip(results[::2], results[1::2])]
        results = pairs + results[len(pairs) * 2 :]
    return results[0]


def along(function, x, axis, keepdims, dtype):
    """`function` of the elements that come together, in C order."""
    axes = tuple(range(x.ndim)) if axis is None else tuple(a % x.ndim for a in np.atleast_1d(axis))
    kept = [a for a in range(x.ndim) if a not in axes]
    rows = np.transpose(x, kept + sorted(axes)).reshape([x.shape[a] for a in kept] + [-1] if x.size else [0])
    shape = [1 if a in axes else n for a, n in enumerate(x.shape)] if keepdims else [x.shape[a] for a in kept]
    if x.size == 0:
        return np.full(shape, function(np.zeros(0, x.dtype)), dtype)
    rows = rows.reshape(-1, rows.shape[-1])
    return np.array([function(row) for row in rows], dtype).reshape(shape)


def bits(array):
    array = np.ascontiguousarray(array)
    return " ".join(f"{int(b):x}" for b in array.reshape(-1).view(f"u{array.itemsize}")) or "-"


def shape(array):
    return ",".join(map(str, array.shape)) or "-"


def describe(array):
    return f"{NAME_OF[array.dtype]} {shape(array)}"


def running(x, axis, merge):
    """What each element and those before it come to, as the language writes it: a run of eight takes in the elements one, two
    and four before; two runs are a group, sixteen groups a section, sixteen sections a block; each begins with what those of
    its kind before it come to. Floats in f64."""
    x = np.moveaxis(x, axis, 0)
    nothing = {np.add: -0.0, np.multiply: 1.0}[merge] if x.dtype.kind == "f" else {np.add: 0, np.multiply: 1}[merge]
    dtype = np.dtype("f8") if x.dtype.kind == "f" else sum_dtype(x)
    result = np.empty(x.shape, dtype)
    empty = np.full(x.shape[1:], nothing, dtype)
    before, block, section, group = empty, empty, empty, empty
    for start in range(0, x.shape[0], 8):
        if start % 16 == 0:
            section, group = merge(section, group), empty
        if start % 256 == 0:
            block, section = merge(block, section), empty
        if start % 4096 == 0:
            before, block = merge(before, block), empty
        run = x[start : start + 8].astype(dtype)
        for step in (1, 2, 4):
            run = np.concatenate([run[:step], merge(run[:-step], run[step:])]) if len(run) > step else run
        result[start : start + 8] = merge(merge(merge(merge(before, block), section), group), run)
        group = merge(group, run[-1])
    return np.moveaxis(result, 0, axis).astype(sum_dtype(x))


def extremes(x, axis, function, sign):
    """-0 is less than +0, and a NaN stays."""
    if x.dtype.kind != "f":
        return function.accumulate(x, axis=axis)
    size = {4: "u4", 8: "u8"}[x.itemsize]
    signed = np.ascontiguousarray(x).view(size.replace("u", "i"))
    keys = np.where(signed < 0, signed ^ np.iinfo(signed.dtype).max, signed)
    keys = np.where(np.isnan(x), sign * np.iinfo(keys.dtype).max, keys)
    best = function.accumulate(keys, axis=axis)
    back = np.where(best < 0, best ^ np.iinfo(best.dtype).max, best).astype(signed.dtype).view(x.dtype)
    return np.where(np.abs(best) == np.iinfo(best.dtype).max, np.nan, back).astype(x.dtype)


arrays = {}


def array(name, x):
    arrays[name] = x
    lines.append(f"array {name} {describe(x)} {bits(x)}")


for name, code in NAMES.items():
    info = None if name == "bool" or code[0] == "f" else np.iinfo(code)
    for kind, dims in {"a": (5,), "b": (3, 17), "c": (2, 3, 4), "e": (0,), "f": (0, 3)}.items():
        if name == "bool":
            x = random.integers(0, 3, dims).astype(bool)
        elif info:
            x = random.integers(-9 if info.min else 0, 10, dims).astype(code)
            if kind == "b":
                x.flat[::7] = info.max
                x.flat[3::11] = info.min
        else:
            x = (random.normal(size=dims) * 2.0 ** random.integers(-8, 9, dims)).astype(code)
            if kind == "b":
                x[1, 3:9] = [0.0, -0.0, math.inf, 5.0, -0.0, -3.0]
                x[2, 4], x[2, 9] = math.nan, -math.inf
        array(f"{name}{kind}", x)
for code in ("f4", "f8"):
    z = np.array([[-0.0, -0.0], [0.0, -0.0], [math.nan, math.nan], [-math.inf, math.inf]], code)
    array(f"f{int(code[1]) * 8}z", z)


def sum_dtype(x):
    return {"f": x.dtype, "u": np.dtype("u8")}.get(x.dtype.kind, np.dtype("i8"))


def mean_dtype(x):
    return x.dtype if x.dtype == np.float32 else np.dtype("f8")


def total(x, axis, keepdims, add=np.add):
    dtype = sum_dtype(x)
    if x.dtype.kind == "f":
        return along(lambda row: tree(row, add), x, axis, keepdims, dtype)
    return add.reduce(x, axis=axis, keepdims=keepdims, dtype=dtype)


def minimum(x, axis, keepdims, sign=1, of=None):
    """-0 is less than +0: numpy keeps the one that stands later."""
    result = (of or (np.min if sign > 0 else np.max))(x, axis=axis, keepdims=keepdims)
    if x.dtype.kind == "f":
        negative = np.min if sign > 0 else np.max
        zeros = np.where(x == 0, np.copysign(1, x), sign * 2)
        chosen = negative(zeros, axis=axis, keepdims=keepdims)
        result = np.where(result == 0, np.copysign(0, chosen), result).astype(x.dtype)
    return result


EXACT = {
    "sum": total,
    "prod": lambda x, axis, keepdims: total(x, axis, keepdims, np.multiply),
    "min": minimum,
    "max": lambda x, axis, keepdims: minimum(x, axis, keepdims, -1),
    "any": lambda x, axis, keepdims: np.any(x, axis=axis, keepdims=keepdims),
    "all": lambda x, axis, keepdims: np.all(x, axis=axis, keepdims=keepdims),
    "count_nonzero": lambda x, axis, keepdims: np.count_nonzero(x, axis=axis, keepdims=keepdims),
    "argmin": lambda x, axis, keepdims: np.argmin(x, axis=axis, keepdims=keepdims),
    "argmax": lambda x, axis, keepdims: np.argmax(x, axis=axis, keepdims=keepdims),
    "ptp": lambda x, axis, keepdims: np.ptp(x, axis=axis, keepdims=keepdims),
    "mean": lambda x, axis, keepdims: along(
        lambda row: tree(row, np.add) / np.float64(row.size), x, axis, keepdims, mean_dtype(x)
    ),
    "nansum": lambda x, axis, keepdims: total(np.where(np.isnan(x), x.dtype.type(0), x), axis, keepdims),
    "nanmin": lambda x, axis, keepdims: minimum(x, axis, keepdims, 1, np.nanmin),
    "nanmax": lambda x, axis, keepdims: minimum(x, axis, keepdims, -1, np.nanmax),
}


def logsumexp(row):
    top = row.max()
    top = top if math.isfinite(top) else 0.0
    return np.log(np.exp(row - top).sum()) + top


NEAR = {
    "var": lambda row: np.var(row),
    "std": lambda row: np.std(row),
    "norm": lambda row: np.linalg.norm(row),
    "logsumexp": logsumexp,
    "nanmean": lambda row: np.nanmean(row),
}


def near(formula, name, result, eps):
    scale = np.max(np.abs(result[np.isfinite(result)]), initial=1e-300)
    values = " ".join(repr(float(v)) for v in result.reshape(-1)) or "-"
    lines.append(f"near {formula} | {name} | {describe(result)} {float(eps * scale)!r} {values}")


AXES = {1: [None, 0, -1], 2: [None, 0, 1, -1, (0, 1)], 3: [None, 0, 1, 2, (0, 2), (-1, -2), (0, 1, 2)]}
for name, x in arrays.items():
    for function, reference in EXACT.items():
        if x.dtype == bool and function == "ptp":
            continue
        for axis in AXES[x.ndim]:
            for keepdims in (False, True):
                if isinstance(axis, tuple) and function in ("argmin", "argmax"):
                    continue
                options = [] if axis is None else [f"axis={axis}"]
                formula = f"{function}({', '.join(['x', *options, *(['keepdims=True'] if keepdims else [])])})"
                try:
                    result = np.asarray(reference(x, axis, keepdims))
                except ValueError:
                    lines.append(f"error {formula} | {name} | empty-reduction")
                    continue
                lines.append(f"case {formula} | {name} | {describe(result)} {bits(result)}")
    for function, reference in NEAR.items():
        if x.size == 0 or name.endswith("z"):
            continue
        for axis in AXES[x.ndim]:
            for keepdims in (False, True):
                options = "" if axis is None else f", axis={axis}"
                options += ", keepdims=True" if keepdims else ""
                result = along(reference, x.astype(np.float64), axis, keepdims, np.float64).astype(mean_dtype(x))
                near(f"{function}(x{options})", name, result, 4e-7 if x.dtype == np.float32 else 2e-15)

# Running totals.
for name, x in arrays.items():
    for axis in range(x.ndim):
        scans = {
            "cumsum": lambda: running(x, axis, np.add),
            "cumprod": lambda: running(x, axis, np.multiply),
            "cummax": lambda: extremes(x, axis, np.maximum, 1),
            "cummin": lambda: extremes(x, axis, np.minimum, -1),
        }
        for function, scan in scans.items():
            result = np.ascontiguousarray(scan())
            if x.dtype.kind != "f" and function in ("cumsum", "cumprod"):
                assert (result == getattr(np, function)(x, axis=axis, dtype=sum_dtype(x))).all()
            options = "" if x.ndim == 1 else f", axis={axis - x.ndim}"
            lines.append(f"case {function}(x{options}) | {name} | {describe(result)} {bits(result)}")
x = arrays["f64c"]
near("cumsum(x, axis=1) / sum(x)", "f64c", np.cumsum(x, axis=1) / x.sum(), 4e-15)
near("sum(cumsum(x, axis=0) * x, axis=2)", "f64c", (np.cumsum(x, axis=0) * x).sum(axis=2), 1e-14)
near("cumsum(x - mean(x, axis=2, keepdims=True), axis=0)", "f64c", np.cumsum(x - x.mean(axis=2, keepdims=True), axis=0), 4e-15)

# Options.
x = arrays["f64c"]
near("var(x, axis=1, ddof=1)", "f64c", np.var(x, axis=1, ddof=1), 4e-15)
near("std(x, axis=(0, 2), keepdims=True)", "f64c", np.std(x, axis=(0, 2), keepdims=True), 4e-15)
near("var(x, ddof=24)", "f64c", np.asarray(np.var(x, ddof=24)), 4e-15)
near("mean(x, axis=2, where=x > 0)", "f64c", np.mean(x, axis=2, where=x > 0), 4e-15)
near("std(x, where=x > 0)", "f64c", np.asarray(np.std(x, where=x > 0)), 4e-15)
for name in ("i32c", "u8c", "f64c", "boolc"):
    x = arrays[name]
    for formula, result in {
        "max(x, axis=0, initial=3)": lambda: np.max(x, axis=0, initial=3),
        "min(x, where=x > 2, initial=100)": lambda: np.min(x, where=x > 2, initial=100),
        "any(x, where=x != x, axis=1)": lambda: np.any(x, where=x != x, axis=1),
        "all(x, where=x != x, axis=1)": lambda: np.all(x, where=x != x, axis=1),
        "size(x)": lambda: np.int64(x.size),
        "shape(x, -1)": lambda: np.int64(x.shape[-1]),
        "count_nonzero(x > 1, axis=(0, 1))": lambda: np.count_nonzero(x > 1, axis=(0, 1)),
    }.items():
        if name == "boolc" and "initial" in formula:
            continue
        result = np.asarray(result())
        lines.append(f"case {formula} | {name} | {describe(result)} {bits(result)}")
    if name in ("i32c", "u8c"):
        result = np.asarray(np.sum(x, axis=1, initial=5, where=x > 2))
        lines.append(f"case sum(x, axis=1, initial=5, where=x > 2) | {name} | {describe(result)} {bits(result)}")
# `where=` and `initial=` of every dtype: all elements, one axis, two axes.
for name in (f"{dtype}c" for dtype in NAMES):
    x = arrays[name]
    is_float = x.dtype.kind == "f"
    mask, condition = (x, "x") if x.dtype == bool else (x > 1, "x > 1")
    assert (~mask).any() and mask.any()
    for axis in (None, 1, -1, (0, 2)):
        axes = "" if axis is None else f", axis={axis}"

        def option(function, options, result):
            result = np.asarray(result)
            lines.append(f"case {function}(x{axes}, {options}) | {name} | {describe(result)} {bits(result)}")

        for function, add in {"sum": np.add, "prod": np.multiply}.items():
            nothing = x.dtype.type(0 if add is np.add else 1)
            option(function, f"where={condition}", total(np.where(mask, x, nothing), axis, False, add))
            if not is_float:
                whole = add.reduce(x, axis=axis, dtype=sum_dtype(x), where=mask, initial=3)
                option(function, f"initial=3, where={condition}", whole)
                option(function, "initial=3", add.reduce(x, axis=axis, dtype=sum_dtype(x), initial=3))
            else:
                whole = add.reduce(x.astype("f8"), axis=axis, where=mask, initial=3).astype(x.dtype)
                eps = 4e-7 if x.dtype == np.float32 else 2e-14
                near(f"{function}(x{axes}, initial=3, where={condition})", name, np.asarray(whole), eps)
        for function, reference in {"min": np.min, "max": np.max}.items():
            if x.dtype != bool:
                option(function, f"initial=5, where={condition}", reference(x, axis=axis, initial=5, where=mask))
                option(function, "initial=5", reference(x, axis=axis, initial=5))
        for function, reference in {"any": np.any, "all": np.all}.items():
            option(function, f"where={condition}", reference(x, axis=axis, where=mask))
        for function, reference in {"mean": np.mean, "var": np.var, "std": np.std}.items():
            result = np.asarray(reference(x.astype("f8"), axis=axis, where=mask)).astype(mean_dtype(x))
            eps = 4e-7 if x.dtype == np.float32 else 4e-15
            near(f"{function}(x{axes}, where={condition})", name, result, eps)
for name in ("f64e", "i8e"):
    result = np.asarray(np.max(arrays[name], initial=3))
    lines.append(f"case max(x, initial=3) | {name} | {describe(result)} {bits(result)}")

# Composed: what was reduced meets the elements again.
x = arrays["f64c"]
near("(x - mean(x)) / std(x)", "f64c", (x - x.mean()) / x.std(), 4e-15)
near("x - mean(x, axis=1, keepdims=True)", "f64c", x - x.mean(axis=1, keepdims=True), 4e-15)
soft = np.exp(x - x.max(axis=-1, keepdims=True))
soft /= soft.sum(axis=-1, keepdims=True)
near("e = exp(x - max(x, axis=-1, keepdims=True)); e / sum(e, axis=-1, keepdims=True)", "f64c", soft, 4e-15)
near("sqrt(sum((x - 1)**2, axis=-1))", "f64c", np.sqrt(((x - 1) ** 2).sum(axis=-1)), 4e-15)
near("sum(x * sum(x, axis=0), axis=(1, 2)) + max(x)", "f64c", (x * x.sum(axis=0)).sum(axis=(1, 2)) + x.max(), 1e-14)
near("x * size(sum(x, axis=0)) + shape(x, 0)", "f64c", x * 12 + 2, 4e-15)
near("sum(x * index(2))", "f64c", np.asarray((x * np.arange(4)).sum()), 4e-15)
near("dot(x, x + 1)", "f64c", np.asarray((x * (x + 1)).sum()), 4e-15)


def pattern(n, dtype):
    """Numbers of many magnitudes, the same here and in the test."""
    i = np.arange(n, dtype=np.uint64)
    whole = (i * np.uint64(2654435761)) % np.uint64(1 << 24)
    return (whole.astype(np.float64) - (1 << 23)).astype(dtype) * (2.0 ** ((i % 21).astype(np.float64) - 10)).astype(dtype)


# Several reductions of one pass, and several passes.
for name in ("f64b", "i16b", "u64b"):
    x = arrays[name]
    for formula, result in {
        "min(x) == max(x)": np.min(x) == np.max(x),
        "count_nonzero(x) + argmax(x) * 100 + argmin(x)": np.count_nonzero(x) + np.argmax(x) * 100 + np.argmin(x),
        "any(x > 3) and not all(x > 3)": np.any(x > 3) and not np.all(x > 3),
        "count_nonzero(x == max(x, axis=1, keepdims=True), axis=0)": np.count_nonzero(
            x == x.max(axis=1, keepdims=True), axis=0
        ),
        "argmax(x >= max(x, axis=0), axis=-1)": np.argmax(x >= x.max(axis=0), axis=-1),
    }.items():
        result = np.asarray(result)
        lines.append(f"case {formula} | {name} | {describe(result)} {bits(result)}")

for dtype in ("f32", "f64"):
    for n in (1, 15, 16, 17, 4095, 4096, 4097, 12289, 100_003):
        x = pattern(n, NAMES[dtype])
        result = np.asarray(tree(x, np.add).astype(NAMES[dtype]))
        lines.append(f"golden sum(x) {dtype} {n} {bits(result)}")
        exact = math.fsum(x.astype(np.float64))
        scan = running(x, 0, np.add)
        lines.append(f"golden cumsum(x)[-1] {dtype} {n} {bits(scan[-1:])}")
        bound = 2.0**-53 * (256 + math.ceil(math.log2(max(n, 2)))) * np.abs(x.astype(np.float64)).sum()
        assert abs(tree(x, np.add) - exact) <= bound

path = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "reductions.txt"
path.write_text("\n".join(lines) + "\n")
print(f"{path.name}: {len(lines)} lines, {path.stat().st_size} bytes")
