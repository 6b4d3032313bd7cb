"""Files of numpy's .npy format with what is in them: tests/data/npy.txt, for examples/repl/npy.rs.

Usage: python3 scripts/generate_npy.py   (numpy 2 or later)
"""

import io
import pathlib

import numpy as np

NAMES = {
    "bool": "b1", "i8": "i1", "i16": "i2", "i32": "i4", "i64": "i8", "u8": "u1", "u16": "u2", "u32": "u4",
    "u64": "u8", "f32": "f4", "f64": "f8",
}
random = np.random.default_rng(20260102)
lines = []


def case(name, dtype, array, version=None):
    """`name` is `save` where numpy.save's bytes are expected of the writer, too."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version)
    native = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("=")))
    bits = ",".join(f"{int(b):x}" for b in native.reshape(-1).view(f"u{native.itemsize}"))
    shape = ",".join(map(str, array.shape)) + ","
    lines.append(f"{name} {dtype} {shape} {bits or '-'} {file.getvalue().hex()}")


for dtype, code in NAMES.items():
    size = int(code[1])
    values = random.integers(0, 256, 6 * size, dtype=np.uint8)
    if dtype == "bool":
        values &= 1
    little = values.view("<" + code)
    case("save", dtype, little)
    case("save", dtype, little.reshape(2, 3))
    case("save", dtype, little[0].reshape(()))
    case("fortran", dtype, np.asfortranarray(little.reshape(2, 3)))
    case("big", dtype, little.astype(">" + code).reshape(3, 2))
    case("version2", dtype, little, version=(2, 0))
case("save", "f64", np.zeros((0, 3)))
case("save", "u8", np.zeros((1, 2, 3, 4), np.uint8))
case("fortran", "u16", np.asfortranarray(np.arange(24, dtype=np.uint16).reshape(2, 3, 4)))

path = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "npy.txt"
path.write_text("\n".join(lines) + "\n")
print(f"{path.name}: {len(lines)} files, {path.stat().st_size} bytes")
