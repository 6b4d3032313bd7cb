#!/usr/bin/env python3
"""Prints the coefficients of src/math/{erf,erfinv,gamma}.rs. Needs mpmath and gmpy2.

Polynomials are fitted and rounded as in coefficients.py. Rational functions are fitted to the linearised error, weighted by
the denominator of the round before (Sanathanan and Koerner, 1963).
"""

import gmpy2
import true_values
from coefficients import quotient, rounded, split
from mpmath import cos, erf, erfc, euler, exp, log, loggamma, lu_solve, matrix, mp, mpf, pi, polyval, sqrt, workprec

mp.prec = 200
TINY = mpf(2) ** -80
# Between the least and the greatest of erfcx(x) * (x + 3/4).
OFFSET = mpf("0.6640625")


def erfcx(x):
    return exp(x * x) * erfc(x)


def near(z):
    """erf(x)/x - 1 with z = x*x"""
    return erf(sqrt(z)) / sqrt(z) - 1


def erf_near(name, to, count, centre=0):
    """In powers of z - centre."""
    lo, hi, centre = TINY - mpf(centre), mpf(to) ** 2 - mpf(centre), mpf(centre)
    rounded(name, lambda w: near(w + centre), lambda w: 1 / (1 + near(w + centre)), lo, hi, range(count))


def far(name, shift, lo, hi, weight, count):
    """erfcx(x) / u in powers of u = 1/(x + shift)"""

    def x_of(u):
        return 1 / u - shift

    rounded(
        name,
        lambda u: erfcx(x_of(u)) / u,
        lambda u: weight(x_of(u)) * u / erfcx(x_of(u)),
        1 / (mpf(hi) + shift),
        1 / (mpf(lo) + shift),
        range(count),
    )


def erfc_all(name, hi, count):
    """erfcx(x) * (x + 3/4) - OFFSET in powers of t = (15/4 - x) / (15/4 + x), from 0 to hi."""
    centre = mpf("3.75")

    def target(t):
        x = centre * (1 - t) / (1 + t)
        return erfcx(x) * (x + mpf("0.75"))

    least = (centre - mpf(hi)) / (centre + mpf(hi))
    rounded(name, lambda t: target(t) - OFFSET, lambda t: 1 / target(t), least, mpf(1), range(count))


def rational(name, target, weight, lo, hi, degree, centre=0):
    """Numerator and denominator in powers of x - centre, the latter's first coefficient 1."""
    nodes = [(lo + hi) / 2 - (hi - lo) / 2 * cos(pi * (2 * k + 1) / 160) for k in range(80)]
    powers, values = range(degree + 1), [target(x) for x in nodes]
    below = [mpf(1)] * len(nodes)
    for _ in range(4):
        scales = [weight(x) / d for x, d in zip(nodes, below)]
        rows = [[w * (x - centre) ** k for k in powers] for x, w in zip(nodes, scales)]
        rows = [row + [-y * c for c in row[1:]] for row, y in zip(rows, values)]
        found = list(lu_solve(matrix(rows), matrix([w * y for w, y in zip(scales, values)])))
        above, divisor = found[: degree + 1], [mpf(1), *found[degree + 1 :]]
        below = [abs(polyval(divisor[::-1], x - centre)) for x in nodes]
    above, divisor = ([float(c) for c in part] for part in (above, divisor))

    def error(x):
        return abs(weight(x) * (polyval(above[::-1], x - centre) / polyval(divisor[::-1], x - centre) - target(x)))

    worst = max(error(lo + (hi - lo) * mpf(k) / 200) for k in range(201))
    print(f"\n// {name}: error 2^{float(log(worst, 2)):.2f}")
    for part in above, divisor[1:]:
        for coefficient in part:
            print(f"    {coefficient!r},")
        print("    --")


def erfinv(x):
    with gmpy2.context(precision=320):
        return mpf(str(true_values.erfinv(gmpy2.mpfr(mp.nstr(x, 95)))))


def erfinv_near(w):
    """erfinv(x)/x - 1 with w = -log(1 - x*x)"""
    if abs(w) < TINY:
        return sqrt(pi) / 2 - 1
    with workprec(320):
        x = sqrt(-mp.expm1(-w))
        return erfinv(x) / x - 1


def erfinv_far(q):
    """erfinv(x) - q with q = sqrt(-log(1 - x))"""
    with workprec(320):
        return erfinv(-mp.expm1(-q * q)) - q


def lgamma_ratio(v):
    """lgamma(1 + t) / (t (t - 1)) with v = (t - 1)/(t + 2)"""
    t = (1 + 2 * v) / (1 - v)
    if abs(t) < TINY or abs(t - 1) < TINY:
        return euler if t < 0.5 else 1 - euler
    return loggamma(1 + t) / (t * (t - 1))


def stirling(z):
    """y (lgamma(y) - (y - 1/2) log y + y - log(2 pi) / 2) with z = 1/y**2"""
    y = 1 / sqrt(z)
    return y * (loggamma(y) - (y - mpf("0.5")) * log(y) + y - log(2 * pi) / 2)


def main():
    end = mpf("1.125")
    erf_near("erf f64, |x| < 1.125, relative", end, 13, "0.625")
    weight = lambda s: exp(-((end + s) ** 2))
    # The factor is one for which the leading coefficients are nearly floats.
    factor = mpf("1.1513671875")
    quotient("erf f64, from 1.125 on, absolute", lambda s: erfcx(end + s), weight, mpf(0), 6 - end, 5, 6, 10, 100, factor)
    erfc_all("erfc f64, relative", "27.3", 24)
    erf_near("erf f32, |x| < 1", 1, 8)
    far("erf f32, from 1 on", 2, 1, "4.2", lambda x: erfc(x) / erf(x), 7)
    erf_near("erfc f32, |x| < 0.8", "0.8", 7)
    far("erfc f32, from 0.8 on, relative", 3, "0.8", "10.3", lambda x: 1, 13)
    for form, degree, end in (("f64", 7, "6.1"), ("f32", 4, "4.1")):
        near_weight, far_weight = (lambda w: 1 / (1 + erfinv_near(w))), (lambda q: 1 / (q + erfinv_far(q)))
        rational(f"erfinv {form}, |x| < 0.973", erfinv_near, near_weight, mpf(0), mpf("2.95"), degree)
        rational(f"erfinv {form}, from there on", erfinv_far, far_weight, mpf("1.9"), mpf(end), degree, 2)
    middle, half = mpf("0.4375"), mpf("0.5")
    for form, count in (("f64", 20), ("f32", 12)):
        ratio = lambda v: 1 / lgamma_ratio(v)
        rounded(f"lgamma {form}, 1 to 3, less {middle}", lambda v: lgamma_ratio(v) - middle, ratio, -half, half / 2, range(count))
    for form, count in (("f64", 11), ("f32", 5)):
        rounded(f"gamma {form}, from 3 on, absolute", stirling, sqrt, mpf(2) ** -40, mpf(1) / 9, range(count))
    split("log(2 pi)/2", log(2 * pi) / 2, 53, 53)
    split("log pi", log(pi), 53, 53)
    split("pi, the first as in the standard library", pi, 53, 53)


if __name__ == "__main__":
    main()
