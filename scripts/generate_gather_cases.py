"""Writes tests/filetests/run/gather.txt: what numpy.take, and numpy.pad and fancy indexing, make of arrays read at computed places.

Needs numpy; run from the repository's root: python scripts/generate_gather_cases.py
"""

import numpy as np

MODES = ["edge", "wrap", "reflect", "symmetric", "constant"]
DTYPES = ["bool", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64"]
NAMES = {"bool": "bool", "i": "int", "u": "uint", "f": "float"}
AXES = "ijk"


def numpy_dtype(name):
    return np.dtype("bool" if name == "bool" else NAMES[name[0]] + name[1:])


def show(x):
    x = x.item()
    return str(x).lower() if isinstance(x, bool) else repr(x).removesuffix(".0")


def array(name, dtype, values):
    shape = ", ".join(map(str, values.shape))
    return f"{name}: {dtype}[{shape}]" + (" = " + " ".join(show(x) for x in values.ravel()) if values.size else "")


def numbers(random, dtype, shape):
    kind = numpy_dtype(dtype)
    if dtype == "bool":
        return random.integers(0, 2, shape).astype(bool)
    if kind.kind == "f":
        return (random.integers(-1000, 1000, shape) / 8).astype(kind)
    limits = np.iinfo(kind)
    return random.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)


def padded(u, mode, reach):
    options = {"constant_values": -7} if mode == "constant" else {}
    return np.pad(u, reach, mode=mode, **options)


def declared(mode):
    return "constant, -7" if mode == "constant" else mode


def takes(random):
    """`take` in each mode, of each dtype, by indices of each dtype, far beyond the edges too."""
    for k, dtype in enumerate(DTYPES):
        for mode in ["clip", "wrap", "fill"]:
            x = numbers(random, dtype, (7,))
            index = DTYPES[1:9][(k + len(mode)) % 8]
            i = numbers(random, index, (21,))
            i[:12] = np.arange(12) if index[0] == "u" else np.arange(-2, 10)
            signed = i.astype(object)
            if mode == "fill":
                fill = 1
                expected = np.array([x[j] if 0 <= j < 7 else numpy_dtype(dtype).type(fill) for j in signed], x.dtype)
                options = ', mode="fill", fill=1'
            else:
                # Beyond an i64 numpy has no index.
                near = np.array([j % 7 if mode == "wrap" else min(j, 100) for j in signed], np.int64)
                expected = np.take(x, near, mode=mode)
                options = "" if mode == "clip" else ', mode="wrap"'
            yield [f"> take(x, i{options})", array("x", dtype, x), array("i", index, i), "| " + array("0", dtype, expected)]
    for shape in [(2, 3), (2, 3, 4), (1,), (1, 1, 1)]:
        x = numbers(random, "i32", shape)
        i = random.integers(-30, 30, (3, 5))
        for mode in ["clip", "wrap"]:
            expected = np.take(x, i, mode=mode)
            yield [f'> take(x, i, mode="{mode}")', array("x", "i32", x), array("i", "i64", i), "| " + array("0", "i32", expected)]
    x = numbers(random, "f64", (40,))
    i = random.integers(-50, 90, (70,)).astype(np.int32)
    expected = np.take(x, i, mode="wrap") * 2 + np.take(x, i * 2, mode="clip") + np.take(x, 3)
    yield [
        '> take(x, i, mode="wrap") * 2 + take(x, i * 2) + take(x, 3)',
        array("x", "f64", x),
        array("i", "i32", i),
        "| " + array("0", "f64", expected),
    ]


def shifts(random):
    """What `shift` of each mode makes of arrays of one to three axes, by more than they have elements, too."""
    for shape in [(6,), (1,), (3, 5), (1, 3), (2, 3, 4)]:
        for mode in MODES:
            u = numbers(random, "i32", shape)
            by = random.integers(-7, 8, len(shape))
            places = tuple(slice(9 - d, 9 - d + n) for d, n in zip(by, shape))
            options = ', mode="constant", fill=-7' if mode == "constant" else f', mode="{mode}"'
            yield [
                f"> shift(u, {', '.join(map(str, by))}{options}) ^ u",
                array("u", "i32", u),
                "| " + array("0", "i32", padded(u, mode, 9)[places] ^ u),
            ]
    x = numbers(random, "f64", (9,))
    expected = np.concatenate([[0, 0], x[:-2]]) - np.roll(x, -1)
    yield ['> shift(x, 2) - shift(x, -1, mode="wrap")', array("x", "f64", x), "| " + array("0", "f64", expected)]


def kernels(random):
    """Any index of a kernel over one to three axes, of arrays of any other number of axes."""
    for shape in [(6,), (1,), (2,), (33,), (3, 5), (1, 3), (2, 3, 4), (1, 1, 2)]:
        for mode in MODES:
            rank = len(shape)
            u = np.arange(1, 1 + int(np.prod(shape)), dtype=np.int64).reshape(shape)
            at = np.indices(shape)
            scale, shift = random.integers(-3, 4, rank), random.integers(-9, 10, rank)
            index = [scale[k] * at[k] + shift[k] for k in range(rank)]
            reach = 4 * max(shape) + 12
            expected = padded(u, mode, reach)[tuple(reach + x for x in index)] * 1000 + u
            written = ", ".join(f"{scale[k]} * {AXES[k]} + {shift[k]}" for k in range(rank))
            yield [
                f"> kernel far(u: i64[{rank}] boundary({declared(mode)})) -> (v) over ({', '.join(AXES[:rank])}) {{",
                f">     v = u[{written}] * 1000 + u",
                "> }",
                array("u", "i64", u),
                "| " + array("v", "i64", expected),
            ]
    for mode in MODES:
        u, table = numbers(random, "u8", (3, 4)), numbers(random, "f32", (5,))
        inside = padded(table, mode, 9)[9 + u.astype(np.int64) % 9 - 2]
        yield [
            f"> kernel look(u: u8[2], table: f32[1] boundary({declared(mode)})) -> (v) over (i, j) {{",
            ">     v = table[i64(u) % 9 - 2]",
            "> }",
            array("u", "u8", u),
            array("table", "f32", table),
            "| " + array("v", "f32", inside),
        ]
    for mode in MODES:
        u, b = numbers(random, "i16", (5,)), random.integers(-6, 12, (9,))
        first = padded(b, mode, 9)[9 + 2 * np.arange(9)]
        yield [
            f"> kernel nested(u: i16[1] boundary({declared(mode)}), b: i64[1] boundary({declared(mode)})) -> (v) over (i) {{",
            ">     v = u[b[2 * i]] + i64(0) * b",
            "> }",
            array("u", "i16", u),
            array("b", "i64", b),
            "| " + array("v", "i64", padded(u, mode, 12)[12 + first].astype(np.int64)),
        ]


def main():
    random = np.random.default_rng(1)
    lines = ["# Written by scripts/generate_gather_cases.py from numpy.take, numpy.pad and fancy indexing.", ""]
    for case in [*takes(random), *shifts(random), *kernels(random)]:
        lines += [*case, ""]
    with open("tests/filetests/run/gather.txt", "w") as file:
        file.write("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
