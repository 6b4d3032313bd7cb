#!/usr/bin/env python3
"""Prints the polynomials of src/math/erf.rs. Needs mpmath.

Fitted and rounded as in coefficients.py. The targets are entire functions or their inverses, taken from mpmath's erf
and erfc in 200 bits.
"""

from coefficients import rounded
from mpmath import erf, erfc, exp, mp, mpf, sqrt

mp.prec = 200
TINY = mpf(2) ** -80
# Between the least and the greatest of erfcx(x) * (x + 9/16).
OFFSET = mpf("0.6171875")


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


def erfc_far(name, lo, hi, count):
    """erfcx(x) * (x + 9/16) - OFFSET in powers of t = (7/2 - x) / (7/2 + x)."""

    def target(t):
        x = mpf("3.5") * (1 - t) / (1 + t)
        return erfcx(x) * (x + mpf("0.5625"))

    def t_of(x):
        return (mpf("3.5") - mpf(x)) / (mpf("3.5") + mpf(x))

    rounded(name, lambda t: target(t) - OFFSET, lambda t: 1 / target(t), t_of(hi), t_of(lo), range(count))


def main():
    erf_near("erf f64, |x| < 1, relative", 1, 12, "0.5")
    weight = lambda s: exp(-((1 + s) ** 2))
    rounded("erf f64, from 1 on, absolute", lambda s: erfcx(1 + s), weight, mpf(0), mpf(5), range(22))
    erf_near("erfc f64, |x| < 0.8", "0.8", 11, "0.3125")
    erfc_far("erfc f64, from 0.8 on, relative", "0.8", "27.3", 22)
    erf_near("erf f32, |x| < 1", 1, 8)
    far("erf f32, from 1 on", 2, 1, "4.2", lambda x: erfc(x) / erf(x), 7)
    erf_near("erfc f32, |x| < 0.8", "0.8", 7)
    far("erfc f32, from 0.8 on, relative", 3, "0.8", "10.3", lambda x: 1, 13)


if __name__ == "__main__":
    main()
