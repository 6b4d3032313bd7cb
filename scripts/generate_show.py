"""Arrays and the text that numpy prints for them: tests/data/show.txt, for examples/repl/show.rs.

Usage: python3 scripts/generate_show.py   (numpy 2.2 or later)
"""

import pathlib

import numpy as np

NAMES = {
    "bool": np.bool_, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "u8": np.uint8,
    "u16": np.uint16, "u32": np.uint32, "u64": np.uint64, "f32": np.float32, "f64": np.float64,
}
random = np.random.default_rng(20260101)
lines = []


def shape_text(shape):
    return "(" + ",".join(map(str, shape)) + ")"


def case(name, array):
    array = np.asarray(array, dtype=NAMES[name])
    unsigned = np.dtype(f"u{array.itemsize}")
    bits = np.ascontiguousarray(array).reshape(-1).view(unsigned)
    lines.append(f"# {name} {shape_text(array.shape)}")
    lines.append(" ".join(f"{int(b):x}" for b in bits))
    lines.append(str(array))


def steps(name, shape, step):
    values = np.arange(np.prod(shape, dtype=int)) * step
    array = values.astype(NAMES[name]).reshape(shape)
    lines.append(f"# {name} {shape_text(shape)} {step!r}")
    lines.append("")
    lines.append(str(array))


specials = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 0.1, 1 / 3, 2 / 3, 1e-4, 9.999e-5, 1e5, 999999.0, 1e6, 1e7, 99999999.0, 1e8,
            1e15, 1e16, 123456789012345678.0, 1e22, 1e23, 1e100, 1.7976931348623157e308, 5e-324, 2.2250738585072014e-308,
            1.23456789e-7, 0.5, 0.25, 2.5, 1.5e-5, 0.123456785, 0.123456795, 1.000000005, 9.999999995, 0.999999999, 99.999999999]
for name in ("f64", "f32"):
    with np.errstate(over="ignore"):
        small = np.array(specials).astype(NAMES[name])
    for x in small:
        case(name, x)
        case(name, -x)
        case(name, [x])
        case(name, [x, 1.0])
        case(name, [x, np.nan])
        case(name, [x, -np.inf, 2.5])
    case(name, small)
    case(name, small[2:6])
    case(name, [np.nan, np.nan])
    case(name, [np.inf, np.nan])
    case(name, [-np.inf, np.nan])
    case(name, [-np.inf])
    case(name, [np.nan, 100.0])
    case(name, [np.nan, -1.0])
    case(name, [])
    case(name, np.zeros((0, 3)))
    case(name, np.zeros((2, 0)))
    case(name, np.zeros((2, 3)))
    for _ in range(16):
        length = int(random.integers(1, 30))
        scale = 10.0 ** random.integers(-9, 10)
        case(name, random.standard_normal(length) * scale)
        case(name, np.round(random.standard_normal(length) * 100, int(random.integers(0, 5))))
        case(name, 10.0 ** random.uniform(-3, 3, length) * np.where(random.random(length) < 0.2, np.nan, 1.0))
    for _ in range(8):
        shape = tuple(random.integers(1, 5, int(random.integers(2, 5))))
        case(name, random.random(shape))
        case(name, np.round(random.normal(size=shape) * 10, 1))
    for shape in [(1000,), (1001,), (2000,), (40, 40), (7, 200), (3, 400), (11, 11, 11), (2, 3, 300), (3, 3, 3, 50), (2000, 1), (1, 2000)]:
        if np.prod(shape) <= 1000:
            continue
        steps(name, shape, 0.5)
        steps(name, shape, 1.0)
        steps(name, shape, 123.456)
steps("f64", (1000,), 0.25)
for name in NAMES:
    if name in ("f32", "f64"):
        continue
    kind = NAMES[name]
    if name == "bool":
        case(name, True)
        case(name, False)
        for shape in [(1,), (5,), (30,), (3, 3), (2, 2, 2), (0,), (1200,)]:
            case(name, random.random(shape) < 0.5)
        continue
    info = np.iinfo(kind)
    case(name, info.max)
    case(name, info.min)
    case(name, [info.min, info.max, 0])
    case(name, [])
    for _ in range(5):
        shape = tuple(random.integers(1, 6, int(random.integers(1, 4))))
        case(name, random.integers(info.min, info.max, shape, dtype=kind, endpoint=True))
        case(name, random.integers(0, 20, int(random.integers(1, 60)), dtype=kind))
for shape in [(1001,), (40, 40), (7, 200), (11, 11, 11), (2, 3, 300)]:
    steps("i64", shape, 1)
    steps("i64", shape, -7)

path = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "show.txt"
path.write_text("\n".join(lines) + "\n")
print(f"{path.name}: {sum(line.startswith('# ') for line in lines)} cases, {path.stat().st_size} bytes")
