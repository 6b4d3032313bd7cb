"""Writes tests/filetests/run/neighbours.txt: what numpy.pad and slicing make of arrays of one to three axes.

Needs numpy; run from the repository's root: python scripts/generate_neighbour_cases.py
"""

import random

import numpy as np

SHAPES = [(6,), (1,), (2,), (3, 5), (1, 3), (4, 1), (2, 3, 4), (1, 2, 3), (40,), (3, 37)]
MODES = ["edge", "wrap", "reflect", "symmetric", "constant", "interior"]
AXES = "ijk"
REACH = 4


def moved(u, offsets, mode):
    options = {"constant_values": -7} if mode == "constant" else {}
    padded = np.pad(u, REACH, mode="empty" if mode == "interior" else mode, **options)
    places = tuple(slice(REACH + o, REACH + o + n) for o, n in zip(offsets, u.shape))
    return padded[places]


def index(offsets):
    words = [axis if o == 0 else f"{axis} {'-' if o < 0 else '+'} {abs(o)}" for axis, o in zip(AXES, offsets)]
    return "u[" + ", ".join(words) + "]"


def main():
    random.seed(1)
    lines = ["# Written by scripts/generate_neighbour_cases.py from numpy.pad and slicing.", ""]
    for shape in SHAPES:
        for mode in MODES:
            u = np.arange(1, 1 + int(np.prod(shape)), dtype=np.int64).reshape(shape)
            a, b = ([random.randint(-REACH, REACH) for _ in shape] for _ in range(2))
            expected = moved(u, a, mode) * 1000 + moved(u, b, mode) - u
            if mode == "interior":
                # Where a neighbour is missing nothing is computed: zeros stay.
                every = np.ones(shape, bool)
                for axis, n in enumerate(shape):
                    at = np.arange(n).reshape([-1 if k == axis else 1 for k in range(len(shape))])
                    for offset in (a[axis], b[axis]):
                        every &= (at + offset >= 0) & (at + offset < n)
                expected = np.where(every, expected, 0)
            declared = "constant, -7" if mode == "constant" else mode
            axes = ", ".join(AXES[: len(shape)])
            extents = ", ".join(map(str, shape))
            lines += [
                f"> kernel near(u: i64[{len(shape)}] boundary({declared})) -> (v) over ({axes}) {{",
                f">     v = {index(a)} * 1000 + {index(b)} - u",
                "> }",
                f"u: i64[{extents}] = " + " ".join(map(str, u.ravel())),
                f"| v: i64[{extents}] = " + " ".join(map(str, expected.ravel())),
                "",
            ]
    with open("tests/filetests/run/neighbours.txt", "w") as file:
        file.write("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
