"""Writes tests/filetests/run/examples.txt: Black-Scholes by erfc of the C library, the Mandelbrot set and the heat equation in numpy, bodies
that pull each other by loops in Python.

Run from the repository's root: python scripts/generate_example_cases.py (needs numpy)
"""

import math

import numpy as np

BLACK_SCHOLES = """\
> fn cnd(z) = 0.5 * erfc(-z / sqrt(2))
> kernel black_scholes(s, k, t, r: uniform f64, v: uniform f64) -> (call, put) {
>     d1 = (log(s / k) + (r + v*v/2) * t) / (v * sqrt(t))
>     d2 = d1 - v * sqrt(t)
>     call = s * cnd(d1) - k * exp(-r*t) * cnd(d2)
>     put  = call + k * exp(-r*t) - s
>     # The last digits are those of each library's functions.
>     call, put = round(call, 9), round(put, 9)
> }"""

MANDELBROT = """\
> kernel mandelbrot(cr: f32, ci: f32, limit: uniform i32) -> (n) {
>     zr, zi, n = 0f32, 0f32, 0i32
>     while n < limit and zr*zr + zi*zi <= 4 {
>         zr, zi = zr*zr - zi*zi + cr, 2*zr*zi + ci
>         n += 1
>     }
> }"""

HEAT = """\
> kernel heat(u: f64[2] boundary(edge), alpha: uniform f64) -> (v) over (i, j) {
>     v = u[i,j] + alpha * (u[i-1,j] + u[i+1,j] + u[i,j-1] + u[i,j+1] - 4*u[i,j])
> }"""

NBODY = """\
> dx = xj - x
> dy = yj - y
> dz = zj - z
> square = dx*dx + dy*dy + dz*dz + softening
> w = mass / (square * sqrt(square))
> ax = sum(w*dx, axis=1)
> ay = sum(w*dy, axis=1)
> az = sum(w*dz, axis=1)
> round(ax, 9), round(ay, 9), round(az, 9)"""


def words(values):
    return " ".join(repr(x).removesuffix(".0") for x in values)


def line(name, dtype, shape, values):
    extents = ", ".join(map(str, shape))
    return f"{name}: {dtype}[{extents}] = {words(values)}"


def black_scholes():
    cases = [(100.0, 100.0, 1.0), (42.0, 40.0, 0.5), (30.0, 45.5, 2.0), (20.0, 18.0, 0.25), (15.5, 15.0, 0.125)]
    r, v = 0.05, 0.2

    def cnd(z):
        return 0.5 * math.erfc(-z / math.sqrt(2))

    calls, puts = [], []
    for s, k, t in cases:
        d1 = (math.log(s / k) + (r + v * v / 2) * t) / (v * math.sqrt(t))
        d2 = d1 - v * math.sqrt(t)
        call = s * cnd(d1) - k * math.exp(-r * t) * cnd(d2)
        calls.append(round(call, 9))
        puts.append(round(call + k * math.exp(-r * t) - s, 9))
    n = [len(cases)]
    inputs = [line(name, "f64", n, [case[at] for case in cases]) for at, name in enumerate("skt")]
    inputs += [line("r", "f64", [], [r]), line("v", "f64", [], [v])]
    return [BLACK_SCHOLES, *inputs, "| " + line("call", "f64", n, calls), "| " + line("put", "f64", n, puts)]


def mandelbrot():
    columns, rows, limit = 9, 5, 40
    real = [float(np.float32(-2.25 + 0.375 * k)) for k in range(columns)]
    imaginary = [float(np.float32(-1.0 + 0.5 * k)) for k in range(rows)]
    turns = []
    for ci in map(np.float32, imaginary):
        for cr in map(np.float32, real):
            zr, zi, n = np.float32(0), np.float32(0), 0
            while n < limit and zr * zr + zi * zi <= 4:
                zr, zi = zr * zr - zi * zi + cr, 2 * zr * zi + ci
                n += 1
            turns.append(n)
    inputs = [line("cr", "f32", [1, columns], real), line("ci", "f32", [rows, 1], imaginary)]
    return [MANDELBROT, *inputs, f"limit: i32[] = {limit}", "| " + line("n", "i32", [rows, columns], turns)]


def heat():
    u = np.array([[0, 0, 8, 0, 0], [0, 16, 0, 0, 1], [4, 0, 0, 0, 2]], float)
    p = np.pad(u, 1, mode="edge")
    v = u + 0.25 * (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * u)
    inputs = [line("u", "f64", u.shape, u.ravel().tolist()), line("alpha", "f64", [], [0.25])]
    return [HEAT, *inputs, "| " + line("v", "f64", v.shape, v.ravel().tolist())]


def nbody():
    bodies = [(0.0, 0.0, 0.0, 5.0), (1.0, 0.5, -0.25, 0.5), (-2.0, 1.0, 0.0, 1.25), (0.5, -3.0, 2.0, 2.0)]
    softening = 0.001
    pulls = []
    for x, y, z, _ in bodies:
        pull = [0.0, 0.0, 0.0]
        for xj, yj, zj, mass in bodies:
            d = (xj - x, yj - y, zj - z)
            square = sum(x * x for x in d) + softening
            pull = [a + mass * x / (square * math.sqrt(square)) for a, x in zip(pull, d)]
        pulls.append([round(a, 9) for a in pull])
    n = len(bodies)
    inputs = [line(name, "f64", [n, 1], [body[at] for body in bodies]) for at, name in enumerate("xyz")]
    inputs += [line(name, "f64", [1, n], [body[at] for body in bodies]) for at, name in enumerate(["xj", "yj", "zj", "mass"])]
    inputs += [line("softening", "f64", [], [softening])]
    outputs = ["| " + line(str(at), "f64", [n], [pull[at] for pull in pulls]) for at in range(3)]
    return [NBODY, *inputs, *outputs]


def main():
    cases = [black_scholes(), mandelbrot(), heat(), nbody()]
    head = "# Written by scripts/generate_example_cases.py from Python and numpy."
    text = "\n\n".join([head, *("\n".join(case) for case in cases)])
    with open("tests/filetests/run/examples.txt", "w") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    main()
