#!/usr/bin/env python3
"""Prints the constants of src/math: minimax polynomials, split constants, bits of 2/pi.

Needs mpmath. Each polynomial is fitted in 200 bits; then its coefficients are rounded to f64 one at a time, lowest
power first, with the rest fitted anew, so that later ones make up for the rounding of earlier ones.
"""

import struct

from mpmath import asin, atan, cos, exp, log, lu_solve, matrix, mp, mpf, pi, polyval, sin, sqrt, tan, tanh

mp.prec = 200


def fit(target, weight, lo, hi, degrees):
    """Coefficients of x**d for d in degrees: weighted least squares at Chebyshev nodes, within a bit of minimax."""
    nodes = [(lo + hi) / 2 - (hi - lo) / 2 * cos(pi * (2 * k + 1) / 128) for k in range(64)]
    rows = matrix([[weight(x) * x**d for d in degrees] for x in nodes])
    return list(lu_solve(rows, matrix([weight(x) * target(x) for x in nodes])))


def f32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def rounded(name, target, weight, lo, hi, degrees, to=float):
    """Prints the polynomial with coefficients rounded to f64, or by `to`."""
    fixed, rest = [], list(degrees)

    def left(x):
        return target(x) - sum(c * x**d for d, c in fixed)

    while rest:
        fixed.append((rest[0], mpf(to(float(fit(left, weight, lo, hi, rest)[0])))))
        rest.pop(0)
    worst = max(abs(weight(x) * left(x)) for x in (lo + (hi - lo) * k / 1001 for k in range(1002)))
    print(f"\n// {name}: error 2^{float(log(worst, 2)):.2f}")
    for _, coefficient in fixed:
        print(f"    {shortest(float(coefficient), to)},")


def shortest(x, to):
    """The fewest digits that `to` reads as x."""
    return next(text for text in (f"{x:.{digits}g}" for digits in range(1, 18)) if to(float(text)) == x)


def quotient(name, target, weight, lo, hi, above, below, rounds, nodes, scale):
    """Prints a quotient of polynomials of these degrees, all coefficients times `scale`.

    Fitted to the linearised error, weighted by the denominator of the round before (Sanathanan and Koerner, 1963) and, from the
    fourth round on, by the errors (Lawson, 1961); the best round counts.
    """
    points = [(lo + hi) / 2 - (hi - lo) / 2 * cos(pi * (2 * k + 1) / (2 * nodes)) for k in range(nodes)]
    values, weights = [target(x) for x in points], [weight(x) for x in points]
    divisors, shares, best = [mpf(1)] * nodes, [mpf(1)] * nodes, None
    for turn in range(rounds):
        factors = [w / d * sqrt(s) for w, d, s in zip(weights, divisors, shares)]
        parts = list(zip(points, factors, values))
        rows = [[f * x**k for k in range(above + 1)] + [-f * y * x**k for k in range(1, below + 1)] for x, f, y in parts]
        found = list(lu_solve(matrix(rows), matrix([f * y for _, f, y in parts])))
        upper, lower = found[: above + 1], [mpf(1), *found[above + 1 :]]
        divisors = [abs(polyval(lower[::-1], x)) for x in points]
        ratios = [polyval(upper[::-1], x) / polyval(lower[::-1], x) for x in points]
        errors = [abs(w * (ratio - y)) for w, ratio, y in zip(weights, ratios, values)]
        worst = max(errors)
        if best is None or worst < best[0]:
            best = worst, upper, lower
        if turn >= 3:
            shares = [s * (e / worst + mpf("0.02")) for s, e in zip(shares, errors)]
    upper, lower = ([float(c * scale) for c in part] for part in best[1:])

    def error(x):
        return abs(weight(x) * (polyval([mpf(c) for c in upper[::-1]], x) / polyval([mpf(c) for c in lower[::-1]], x) - target(x)))

    worst = max(error(lo + (hi - lo) * k / 400) for k in range(401))
    print(f"\n// {name}: error 2^{float(log(worst, 2)):.2f}")
    for part in upper, lower:
        for coefficient in part:
            print(f"    {coefficient!r},")
        print("    --")


def split(name, value, *bits, rounding=mp.nint):
    """Prints `value` as a sum of floats of so many bits each."""
    print(f"\n// {name}")
    for count in bits:
        exponent = int(mp.floor(log(abs(value), 2))) + 1 - count
        part = mpf(int(rounding(value / mpf(2) ** exponent))) * mpf(2) ** exponent
        assert mpf(float(part)) == part
        print(f"    {float(part)!r},")
        value -= part


def series(f, first, x, terms=40):
    """Sum of f(k) * x**(k - first) for k from `first`."""
    return sum(f(k) * x ** (k - first) for k in range(first, first + terms))


def exp_rest(x):
    """(exp(x) - 1 - x) / x**2"""
    return series(lambda k: 1 / mp.factorial(k), 2, x)


def log_rest(z):
    """(log((1+s)/(1-s)) - 2*s) / s**3 with z = s*s"""
    return series(lambda k: mpf(2) / (2 * k + 1), 1, z, 80)


def sin_rest(z):
    """(sin(x) - x) / x**3 with z = x*x"""
    return series(lambda k: mpf(-1) ** k / mp.factorial(2 * k + 1), 1, z)


def cos_rest(z):
    """(cos(x) - 1 + x*x/2) / x**4 with z = x*x"""
    return series(lambda k: mpf(-1) ** k / mp.factorial(2 * k), 2, z)


def expm1_rest(x):
    """(exp(x) - 1 - x - x*x/2) / x**3"""
    return series(lambda k: 1 / mp.factorial(k), 3, x)


def exp2_factor(x):
    """(2**x - 1) / x"""
    return series(lambda k: log(mpf(2)) ** k / mp.factorial(k), 1, x)


def tan_half_rest(z):
    """(2 tan(x/2) - x) / x**3 with z = x*x"""
    x = sqrt(mpf(z))
    return (2 * tan(x / 2) - x) / (x * z) if z > mpf("1e-6") else mpf(1) / 12 + z / 120 + z * z * 17 / 20160


def atan_rest(z):
    """(atan(x) - x) / x**3 with z = x*x"""
    x = sqrt(mpf(z))
    return (atan(x) - x) / (x * z) if z > mpf("1e-3") else series(lambda k: mpf(-1) ** k / (2 * k + 1), 1, z)


def asin_rest(z):
    """(asin(x) - x) / x**3 with z = x*x"""
    x = sqrt(mpf(z))
    return (asin(x) - x) / (x * z) if z > mpf("1e-3") else series(lambda k: mp.binomial(2 * k, k) / (mpf(4) ** k * (2 * k + 1)), 1, z)


def sinh_rest(z):
    """(sinh(x) - x) / x**3 with z = x*x"""
    return series(lambda k: 1 / mp.factorial(2 * k + 1), 1, mpf(z))


def cosh_rest(z):
    """(cosh(x) - 1 - x*x/2) / x**4 with z = x*x"""
    return series(lambda k: 1 / mp.factorial(2 * k), 2, mpf(z))


def for_f32(ln2, r, tiny):
    """Functions in f32 (most of them fast ones), and the sine and cosine of one polynomial."""
    rounded("exp, (e^r-1-r)/r^2", exp_rest, lambda x: x * x / exp(x), -r, r, range(5), f32)
    rest = lambda x: x / series(lambda k: 1 / mp.factorial(k), 1, x)
    rounded("fast expm1, the same relative to e^r-1", exp_rest, rest, -r, r, range(5), f32)
    half = mpf("0.50001")
    rounded("exp2, (2^r-1)/r", exp2_factor, lambda x: x / 2**x, -half, half, range(6), f32)
    ln10 = log(mpf(10))
    half = ln2 / ln10 / 2 * mpf("1.0001")
    factor = lambda x: series(lambda k: ln10**k / mp.factorial(k), 1, x)
    rounded("fast exp10, (10^r-1)/r", factor, lambda x: x / 10**x, -half, half, range(5), f32)
    below, above = sqrt(mpf(1) / 2) - 1, sqrt(mpf(2)) - 1
    rest = lambda f: series(lambda k: mpf(-1) ** (k - 1) / k, 2, f, 250)
    weight = lambda f: f * f / log(1 + f) if f else mpf(0)
    rounded("log, (log(1 + f) - f)/f^2", rest, weight, below, above, range(9), f32)
    end = (pi / 2 * mpf("1.001")) ** 2
    rounded("fast sin, (sin r - r)/r^3", sin_rest, lambda z: z * sqrt(z) / sin(sqrt(z)), tiny, end, range(4), f32)
    rounded("fast sin f64", sin_rest, lambda z: z * sqrt(z) / sin(sqrt(z)), tiny, (pi / 2 * mpf("1.0001")) ** 2, range(8))
    rest = lambda z: (tan(sqrt(z)) / sqrt(z) - 1) / z if z > mpf("1e-6") else mpf(1) / 3 + z * 2 / 15
    weight = lambda z: z * sqrt(z) / tan(sqrt(z))
    rounded("fast tan, (tan r - r)/r^3", rest, weight, mpf(2) ** -30, (pi / 4 * mpf("1.001")) ** 2, range(6), f32)
    split("pi for f32, no part negative", pi, 24, 24, 24, rounding=mp.floor)
    split("pi, no part negative", pi, 53, 53, 53, rounding=mp.floor)
    split("ln 2 for f32", ln2, 24, 24)
    split("log10 2 for f32", ln2 / ln10, 24, 24)


def tanh_less_one(z):
    """(tanh(r) / r - 1) / z with z = r*r"""
    r = sqrt(z)
    return mpf(-1) / 3 if z < mpf(2) ** -60 else (tanh(r) / r - 1) / z


def main():
    ln2 = log(mpf(2))
    r = ln2 / 2 * mpf("1.0001")
    rounded("exp f64, (e^r-1-r)/r^2, weighted to the result", exp_rest, lambda x: x * x / exp(x), -r, r, range(10))
    rounded("exp f32", exp_rest, lambda x: x * x / exp(x), -r, r, range(7))
    rounded("expm1 f64, (e^r-1-r-r^2/2)/r^3", expm1_rest, lambda x: x**3 / exp(x), -r, r, range(10))
    half = mpf("0.5001")
    rounded("exp2 f64, (2^r-1)/r", exp2_factor, lambda x: x / 2**x, -half, half, range(12))
    rounded("exp2 f32", exp2_factor, lambda x: x / 2**x, -half, half, range(7))
    s = (sqrt(mpf(2)) - 1) / (sqrt(mpf(2)) + 1) * mpf("1.0001")
    tiny = mpf(2) ** -60

    def log_weight(z):
        return z / 2

    rounded("log f64, (log((1+s)/(1-s))-2s)/s^3, relative to log", log_rest, log_weight, tiny, s * s, range(7))
    rounded("log f32", log_rest, log_weight, tiny, s * s, range(5))
    rounded("pow f64, the same with one more", log_rest, log_weight, tiny, s * s, range(8))
    rounded("slope of the logarithm, 2/(1 - s^2)", lambda z: 2 / (1 - z), lambda z: (1 - z) / 2, tiny, s * s, range(2))
    q = pi / 4 * mpf("1.0001")
    rounded("sin f64, (sin x - x)/x^3, relative", sin_rest, lambda z: z, tiny, q * q, range(6))
    rounded("sin f32", sin_rest, lambda z: z, tiny, q * q, range(4))
    rounded("cos f64, (1 - x^2/2 - cos x)/x^4", lambda z: -cos_rest(z), lambda z: z * z / mpf("0.7"), tiny, q * q, range(6))
    rounded("cos f32", cos_rest, lambda z: z * z / mpf("0.7"), tiny, q * q, range(3))
    rounded("tan f64, (2 tan(r/2) - r)/r^3", tan_half_rest, lambda z: z * sqrt(z) / tan(sqrt(z) / 2) / 2, mpf(2) ** -30, q * q, range(9))

    def tanh_weight(z):
        return z / (1 + z * tanh_less_one(z))

    end = mpf("0.875") ** 2
    quotient("tanh f64, (tanh r / r - 1)/r^2", tanh_less_one, tanh_weight, mpf(0), end, 3, 3, 9, 80, mpf("1.40625"))

    def atan_weight(z):
        return z * sqrt(z) / atan(sqrt(z))

    rounded("atan f64, (atan q - q)/q^3", atan_rest, atan_weight, tiny, mpf("0.55001") ** 2, range(13))
    rounded("atan f32", atan_rest, atan_weight, tiny, mpf("1.0001"), range(9))
    rounded("atan f32 near", atan_rest, atan_weight, tiny, mpf("0.55001") ** 2, range(6))

    def asin_weight(z):
        return z * sqrt(z) / asin(sqrt(z))

    rounded("asin f64, (asin s - s)/s^3", asin_rest, asin_weight, tiny, mpf("0.25001"), range(13))
    rounded("asin f32", asin_rest, asin_weight, tiny, mpf("0.25001"), range(5))
    end = (ln2 / 2 * mpf("1.001")) ** 2
    rounded("sinh f64, (sinh r - r)/r^3", sinh_rest, lambda z: z, tiny, end, range(5))
    rounded("sinh f32", sinh_rest, lambda z: z, tiny, end, range(3))
    rounded("cosh f64, (cosh r - 1 - r^2/2)/r^4", cosh_rest, lambda z: z * z, tiny, end, range(4))
    rounded("cosh f32", cosh_rest, lambda z: z * z, tiny, end, range(2))
    rounded("log f64, wide", log_rest, log_weight, tiny, mpf("0.215") ** 2, range(8))
    rounded("log f32, wide", log_rest, log_weight, tiny, mpf("0.215") ** 2, range(4))
    third = mpf("0.33334") ** 2
    rounded("log(1 + e) f64, s up to 1/3", log_rest, log_weight, tiny, third, range(10))
    rounded("log(1 + e) f32", log_rest, log_weight, tiny, third, range(5))
    rounded(
        "cbrt, m^(-1/3)",
        lambda x: mpf(x) ** (-mpf(1) / 3),
        lambda x: mpf(x) ** (mpf(1) / 3),
        sqrt(mpf(1) / 2) * mpf("0.9999"),
        sqrt(mpf(2)),
        range(5),
    )
    root = mpf(2) ** (mpf(1) / 3)
    print("\n// 2^(-j/3) through -1, 0, 1")
    for coefficient in (1.0, float((1 / root - root) / 2), float((1 / root + root) / 2 - 1)):
        print(f"    {coefficient!r},")
    for_f32(ln2, r, tiny)
    split("ln 2", ln2, 53, 53)
    split("ln 2 with room for an exponent", ln2, 42, 53)
    split("1/ln 2", 1 / ln2, 53, 53)
    split("ln 10", log(mpf(10)), 53, 53)
    split("log2 10", log(mpf(10)) / ln2, 53)
    split("log10 e", 1 / log(mpf(10)), 53, 53)
    split("log10 2 with room for an exponent", ln2 / log(mpf(10)), 42, 53)
    split("what the float pi/2 lacks, of it", (pi / 2 - mpf(float(pi / 2))) / mpf(float(pi / 2)), 53)
    split("2/pi", 2 / pi, 53)
    split("pi/2", pi / 2, 53, 53)
    split("pi/2 for reduction", pi / 2, 53, 29, 53)
    print("\n// 2/pi, 64 bits a word, after the point")
    mp.prec = 1400
    value = int(mp.floor(2 / pi * mpf(2) ** (64 * 19)))
    for word in range(19):
        print(f"    0x{value >> (64 * (18 - word)) & (2**64 - 1):016x},")


if __name__ == "__main__":
    main()
