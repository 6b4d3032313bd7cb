"""The functions of the language by MPFR, and inputs at which an implementation of each may go wrong.

`FUNCTIONS[name]` has the formula, the true value (a function of mpfr numbers), and where to look. Needs gmpy2; inputs of
NumPy's own validation sets are used where numpy is installed.
"""

import csv
import dataclasses
import itertools
import math
import pathlib
import statistics
import struct
from collections.abc import Callable

import gmpy2
from gmpy2 import mpfr, mpz

INF, NAN = float("inf"), float("nan")
CONTEXT = gmpy2.get_context()
CONTEXT.precision = 200
CONTEXT.emin, CONTEXT.emax = gmpy2.get_emin_min(), gmpy2.get_emax_max()


@dataclasses.dataclass(frozen=True)
class Format:
    name: str
    # Bits of the mantissa, exponent of the least subnormal, exponent above the greatest number.
    bits: int
    least: int
    top: int
    letter: str
    digits: int

    def hex(self, x):
        """Its bits; every NaN is the positive quiet one."""
        return struct.pack(">" + self.letter, NAN if x != x else x).hex()

    def from_bits(self, bits):
        return struct.unpack(">" + self.letter, bits.to_bytes(self.digits // 2, "big"))[0]

    def nearest(self, x):
        """The float of the format that is nearest to a Python float."""
        try:
            return struct.unpack(">" + self.letter, struct.pack(">" + self.letter, x))[0]
        except OverflowError:
            return math.copysign(INF, x)

    def any_bits(self, rng):
        return self.from_bits(rng.getrandbits(self.digits * 4))

    def subnormal(self, rng):
        return self.from_bits(rng.getrandbits(rng.randrange(1, self.bits)))


F64 = Format("f64", 53, -1074, 1024, "d", 16)
F32 = Format("f32", 24, -149, 128, "f", 8)
FORMATS = {"f64": F64, "f32": F32}


def rounded(true, form):
    """The nearest number of the format, and what the true value exceeds it by, in ulps of the true value."""
    if gmpy2.is_nan(true) or gmpy2.is_infinite(true) or gmpy2.is_zero(true):
        return float(true), 0.0
    exponent = gmpy2.get_exp(true)  # |true| lies in 2^exponent * [1/2, 1)
    if exponent > form.top:
        return math.copysign(INF, true), 0.0
    ulp = max(exponent - form.bits, form.least)
    scaled = gmpy2.mul_2exp(true, -ulp) if ulp < 0 else gmpy2.div_2exp(true, ulp)
    units = gmpy2.rint(scaled)
    rest = float(scaled - units)
    if gmpy2.is_zero(units):
        return math.copysign(0.0, true), rest
    if abs(units) >= mpfr(2) ** (form.top - ulp):
        return math.copysign(INF, true), 0.0
    return float(gmpy2.mul_2exp(units, ulp) if ulp >= 0 else gmpy2.div_2exp(units, -ulp)), rest


# -- true values that MPFR has no function for --


def turn(x):
    """pi times x less whole turns, exact up to the product."""
    with gmpy2.context(CONTEXT, precision=1300):
        rest = x - 2 * gmpy2.rint(x / 2)
    return gmpy2.const_pi() * rest, rest


def sinpi(x):
    if not gmpy2.is_finite(x):
        return mpfr(NAN)
    angle, rest = turn(x)
    if gmpy2.is_integer(rest):
        return gmpy2.copy_sign(mpfr(0), x)
    if abs(rest) > 0.5:
        # About a whole half turn, so that nothing cancels.
        sign = 1 if rest > 0 else -1
        return sign * gmpy2.sin(gmpy2.const_pi() * (1 - abs(rest)))
    return gmpy2.sin(angle)


def cospi(x):
    if not gmpy2.is_finite(x):
        return mpfr(NAN)
    _, rest = turn(x)
    rest = abs(rest)
    if rest == 0.5:
        return mpfr(0)
    return gmpy2.sin(gmpy2.const_pi() * (mpfr(0.5) - rest))


def sinc(x):
    if gmpy2.is_zero(x):
        return mpfr(1)
    return sinpi(x) / (gmpy2.const_pi() * x)


def softplus(x):
    return (x if x > 0 else mpfr(0)) + gmpy2.log1p(gmpy2.exp(-abs(x))) if x == x else x


def logaddexp(x, y):
    if gmpy2.is_nan(x) or gmpy2.is_nan(y):
        return mpfr(NAN)
    if x == y:
        return x + gmpy2.const_log2() if gmpy2.is_finite(x) else x
    greater, lesser = max(x, y), min(x, y)
    if gmpy2.is_infinite(greater):
        return greater
    with gmpy2.context(CONTEXT, precision=2400):
        return mpfr(greater + gmpy2.log1p(gmpy2.exp(lesser - greater))) if greater - lesser < 900 else greater + 0


def xlogy(x, y):
    return mpfr(0) if gmpy2.is_zero(x) and not gmpy2.is_nan(y) else x * gmpy2.log(y)


def erfinv(y):
    if gmpy2.is_zero(y) or not abs(y) < 1:
        return y if gmpy2.is_zero(y) else y * INF if abs(y) == 1 else mpfr(NAN)
    root_pi = gmpy2.sqrt(gmpy2.const_pi())
    magnitude = abs(y)
    if magnitude < 1e-5:
        x = magnitude * root_pi / 2
    else:
        left = float(1 - magnitude)
        x = mpfr(-statistics.NormalDist().inv_cdf(left / 2)) / gmpy2.sqrt(mpfr(2))
    for _ in range(4):
        # Halley's step, on what is left of 1 where that is little.
        error = (1 - magnitude) - gmpy2.erfc(x) if magnitude > 0.5 else gmpy2.erf(x) - magnitude
        step = error * root_pi / 2 * gmpy2.exp(x * x)
        x -= step / (1 + x * step)
    return gmpy2.copy_sign(x, y)


def gamma(x):
    return mpfr(NAN) if x == -INF else gmpy2.gamma(x)


def lgamma(x):
    return gmpy2.lgamma(x)[0] if gmpy2.is_finite(x) else abs(x)


def rsqrt(x):
    return gmpy2.copy_sign(mpfr(INF), x) if gmpy2.is_zero(x) else gmpy2.rec_sqrt(x)


def logit(x):
    return gmpy2.log(x) - gmpy2.log1p(-x)


def sigmoid(x):
    return 1 / (1 + gmpy2.exp(-x))


def power(x, y):
    if gmpy2.is_finite(x) and x < 0 and gmpy2.is_finite(y) and not gmpy2.is_integer(y):
        return mpfr(NAN)
    return x**y


# -- inputs --


def hard_multiples(step=3):
    """Floats in every binade that lie nearest to a multiple of pi/2, by continued fractions."""
    with gmpy2.context(CONTEXT, precision=2400):
        half_pi = gmpy2.const_pi() / 2
        for exponent in range(-53, 972, step):
            slope = mpfr(2) ** exponent / half_pi
            rest, before, denominator, candidates = slope, mpz(1), mpz(0), set()
            while True:
                term = mpz(gmpy2.floor(rest))
                following = term * denominator + before
                if denominator:
                    # Intermediate fractions with a denominator of 53 bits.
                    lowest = max(mpz(0), -((before - 2**52) // denominator))
                    highest = min(term, (2**53 - 1 - before) // denominator)
                    if lowest <= highest:
                        candidates |= {before + k * denominator for k in (lowest, highest)}
                if following >= 2**53:
                    break
                before, denominator = denominator, following
                rest = 1 / (rest - term)

            def distance(mantissa):
                turns = mantissa * slope
                return abs(turns - gmpy2.rint(turns))

            for mantissa in sorted((m for m in candidates if 2**52 <= m < 2**53), key=distance)[:1]:
                yield float(mpfr(mantissa) * mpfr(2) ** exponent)


def multiples_of_half_pi(rng, count):
    """The floats nearest to multiples of pi/2 of any size."""
    with gmpy2.context(CONTEXT, precision=2400):
        half_pi = gmpy2.const_pi() / 2
        for _ in range(count):
            yield float(gmpy2.rint(mpfr(2) ** rng.uniform(0, 1023.3)) * half_pi)


SPECIAL = [0.0, 1.0, 2.0, 3.0, 0.5, 1.5, INF, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308]
SPECIAL += [1 - 2.0**-53, 1 + 2.0**-52, 2.0**53 - 1, 2.0**52 + 1, 2.0**52 - 0.5, 1e300, 1e-300]
SPECIAL += [1 - 2.0**-24, 1 + 2.0**-23, 1e-45, 1.1754943508222875e-38, 3.4028234663852886e38]
SPECIAL = [NAN] + [sign * x for x in SPECIAL for sign in (1, -1)]


@dataclasses.dataclass(frozen=True)
class Function:
    true: Callable
    # Intervals with all that may differ from other arguments, and those for f32 where they differ.
    ranges: tuple = ()
    ranges_f32: tuple = ()
    # Zeros, poles, ends of the domain, and where implementations change their ways.
    near: tuple = ()
    # A function of rng, count and format that yields more.
    more: Callable | None = None
    arity: int = 1
    formula: str = ""
    # Whether NaN, infinities and zeros are for a table of special values alone.
    plain: bool = False

    def inputs(self, form, rng, count):
        """Rows of arguments, as floats of the format."""
        rows = pairs(self, form, rng, count) if self.arity == 2 else ((x,) for x in singles(self, form, rng, count))
        for row in rows:
            yield tuple(form.nearest(float(x)) for x in row)

    def specials(self, form):
        values = [form.nearest(x) for x in SPECIAL]
        if self.arity == 1:
            return [(x,) for x in values]
        chosen = [NAN, 0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, -3.0, 2.5, -2.5, INF, -INF, 2.0**form.bits, 1e-45, 1e30]
        return list(itertools.product([form.nearest(x) for x in chosen], repeat=2))


def singles(function, form, rng, count):
    ranges = function.ranges_f32 if form is F32 and function.ranges_f32 else function.ranges
    for low, high in ranges:
        yield from (rng.uniform(low, high) for _ in range(count // len(ranges)))
    for centre in function.near:
        size = abs(centre) or 1.0
        for _ in range(max(8, count // 4 // len(function.near))):
            yield centre + size * rng.choice((1, -1)) * 2.0 ** -rng.uniform(1, form.bits + 1)
        yield from (centre, math.nextafter(centre, INF), math.nextafter(centre, -INF))
    yield from (form.any_bits(rng) for _ in range(count // 4))
    yield from (rng.choice((1, -1)) * form.subnormal(rng) for _ in range(count // 20))
    yield from (rng.choice((1, -1)) * 2.0 ** rng.uniform(-60, 4) for _ in range(count // 8))
    if function.more:
        yield from function.more(rng, count, form)


def pairs(function, form, rng, count):
    yield from function.more(rng, count, form)
    for _ in range(count // 4):
        yield form.any_bits(rng), form.any_bits(rng)
        yield rng.uniform(-3, 3), rng.uniform(-3, 3)
    for _ in range(count // 8):
        yield form.subnormal(rng), rng.uniform(-2, 2)
        yield rng.uniform(-2, 2), form.subnormal(rng)
    exponents = [form.least, form.least + form.bits - 1, -form.top // 2, -30, -1, 0, 1, 30, form.top // 2, form.top - 1]
    for p, q in itertools.product(exponents, repeat=2):
        yield rng.uniform(1, 2) * 2.0**p * rng.choice((1, -1)), rng.uniform(1, 2) * 2.0**q * rng.choice((1, -1))


def odd_halves(unit, low, high):
    """About odd multiples of half the unit, where a reduction by the unit changes."""

    def more(rng, count, form):
        for _ in range(count // 3):
            yield (rng.randrange(low, high) + 0.5) * unit * (1 + rng.uniform(-1, 1) * 2.0 ** -rng.uniform(10, form.bits))

    return more


def binades(rng, count, form):
    """Where the mantissa is split, in a few binades and in any."""
    for _ in range(count // 3):
        yield 2.0 ** (rng.randrange(-20, 20) + 0.5) * (1 + rng.uniform(-1, 1) * 2.0 ** -rng.uniform(4, 30))
        yield abs(form.any_bits(rng))


def angles(rng, count, form):
    half_pi = 1.5707963267948966
    for _ in range(count // 3):
        yield rng.choice((1, -1)) * rng.randrange(1 << rng.randrange(1, 50)) * half_pi
        yield rng.randrange(1 << rng.randrange(1, 26)) * half_pi / 2 * (1 + rng.uniform(-1e-9, 1e-9))
        yield rng.uniform(-1, 1) * 2.0 ** rng.uniform(0, 60)
    if form is F64:
        yield from multiples_of_half_pi(rng, count // 3)
        yield float.fromhex("0x1.4c96c11134d36p+578")
        # Where the ways of reducing meet.
        yield from (26353589.0 + rng.uniform(-20, 20) for _ in range(20))
        yield from hard_multiples(max(1, 9000 // count))
    else:
        yield from (274877906944.0 * (1 + rng.uniform(-1e-6, 1e-6)) for _ in range(20))


def half_turns(rng, count, form):
    for _ in range(count // 3):
        yield rng.randrange(1 << rng.randrange(1, 12)) / 4 * (1 + rng.choice((1, -1)) * 2.0 ** -rng.uniform(4, form.bits))
        yield rng.uniform(-1, 1) * 2.0 ** rng.uniform(0, form.bits + 2)


def zeros_of_lgamma(rng, count, form):
    """Between negative integers, close to them and to the zeros there."""
    for _ in range(count // 3):
        whole = -rng.randrange(1, 30)
        yield whole + rng.choice((1, -1)) * 2.0 ** -rng.uniform(1, form.bits - 5)
        yield rng.uniform(-30, 0)
        yield whole * 2.0 ** rng.uniform(0, form.bits - 6) + 0.25 * rng.randrange(1, 4)


def reaching(x, low, high, rng):
    """A y with which x**y is anything from underflow to overflow."""
    log = float(gmpy2.log(mpfr(x))) if x > 0 and x < INF else 0.0
    return x, rng.uniform(low - 1, high) / log if log else 1.0


def powers(rng, count, form):
    ln2 = math.log(2)
    low, high = form.least * ln2, form.top * ln2
    for _ in range(count // 2):
        yield reaching(abs(form.any_bits(rng)), low, high, rng)
        yield reaching(rng.uniform(0.5, 2), low, high, rng)
        yield reaching(1 + rng.uniform(-0.5, 1) * 2.0 ** -rng.randrange(form.bits), low, high, rng)
        yield reaching(2.0 ** (rng.randrange(-2, 2) + 0.5) * rng.uniform(0.99, 1.01), low, high, rng)
        x = rng.uniform(0.5, 2)
        yield x, rng.uniform(low - 1, (form.least + form.bits) * ln2) / float(gmpy2.log(x))
        yield rng.uniform(-20, 20), float(rng.randrange(-30, 30))
    for _ in range(count // 2):
        # Literal exponents have ways of their own.
        n = rng.choice([3, 4, 5, 6, 7, 10, 17, 100, 1023, 1024, -2, -3, -4, -7, -100, -1024, 0.5])
        exponent = min(max(rng.uniform(form.least - 2, form.top + 1) / n, form.least), form.top - 1)
        yield rng.choice([1, -1]) * 2.0**exponent, n
    for _ in range(count // 2):
        # Results just above the square root of 2 times a power of two, where a rounding before the last one weighs most.
        x = rng.uniform(0.7, 1.42)
        power = math.log(rng.uniform(1.4142, 1.5)) + rng.randrange(form.least + form.bits, form.top - 1) * ln2
        yield x, power / float(gmpy2.log(x))
    # The greatest error among 4 * 10^6 more of these.
    yield 0.7624273940632703, 2234.630409518315


def ratios(rng, count, form):
    """Two of like size, and of sizes that differ by up to twice the mantissa."""
    for _ in range(count // 2):
        x = rng.choice((1, -1)) * 2.0 ** rng.uniform(form.least // 2, form.top // 2)
        yield x, x * rng.choice((1, -1)) * 2.0 ** rng.uniform(-3, 3)
        yield x, x * rng.choice((1, -1)) * 2.0 ** rng.uniform(-2 * form.bits, 2 * form.bits)
        yield x, x * (1 + rng.uniform(-1, 1) * 2.0 ** -rng.uniform(1, form.bits))


def sums(rng, count, form):
    for _ in range(count // 2):
        x = rng.uniform(-1, 1) * 2.0 ** rng.uniform(-3, 10)
        yield x, x + rng.uniform(-1, 1) * 2.0 ** rng.uniform(-20, 6)
        # About the zero: exp(x) + exp(y) = 1.
        y = math.log1p(-math.exp(-abs(x) - 1e-9))
        yield -abs(x), y * (1 + rng.uniform(-1, 1) * 2.0 ** -rng.uniform(1, 40))


def by_logarithms(rng, count, form):
    for _ in range(count):
        yield rng.uniform(-10, 10), abs(form.any_bits(rng))
        yield rng.uniform(-1, 1) * 2.0 ** rng.uniform(-100, 100), 1 + rng.uniform(-0.5, 1) * 2.0 ** -rng.uniform(0, form.bits)


LN2 = math.log(2)
HALF_PI = math.pi / 2
FUNCTIONS = {
    "exp": Function(gmpy2.exp, ((-746, 710), (-746, -708), (-1, 1)), ((-104.5, 89), (-104, -87), (-1, 1)), (709.782712893384, -745.1332191019412, 88.72283935546875, -103.97208404541016), odd_halves(LN2, -1074, 1024)),
    "exp2": Function(gmpy2.exp2, ((-1076, 1025), (-1076, -1021), (-1, 1)), ((-150.5, 129), (-150, -125), (-1, 1)), (1024.0, -1075.0, 128.0, -150.0), odd_halves(1, -1074, 1024)),
    "exp10": Function(gmpy2.exp10, ((-324, 309), (-324, -307), (-1, 1)), ((-45.5, 39), (-45, -37), (-1, 1)), (308.25471555991674, -323.6, 38.53184, 22.0, 10.0), odd_halves(math.log10(2), -1074, 1024)),
    "expm1": Function(gmpy2.expm1, ((-40, 710), (-1, 1), (-0.1, 0.1)), ((-20, 89), (-1, 1)), (709.782712893384, -37.4, 88.72283935546875, LN2, -LN2, 0.0), odd_halves(LN2, -60, 1024)),
    "log": Function(gmpy2.log, ((0, 3), (0.5, 2), (0, 1e6)), (), (1.0,), binades),
    "log2": Function(gmpy2.log2, ((0, 3), (0.5, 2), (0, 1e6)), (), (1.0, 2.0, 8.0), binades),
    "log10": Function(gmpy2.log10, ((0, 3), (0.5, 2), (0, 1e6)), (), (1.0, 10.0, 1000.0), binades),
    "log1p": Function(gmpy2.log1p, ((-1, 3), (-0.5, 1), (0, 1e6)), (), (0.0, -1.0, 2**0.5 - 1, 0.5**0.5 - 1), binades),
    "sigmoid": Function(sigmoid, ((-750, 50), (-750, -708), (-5, 5)), ((-105, 20), (-105, -87), (-5, 5)), (0.0, -36.7, 36.7), odd_halves(LN2, -1074, 60)),
    "logit": Function(logit, ((0, 1), (0.4, 0.6)), (), (0.5, 1.0, 0.0), None),
    "softplus": Function(softplus, ((-750, 800), (-750, -708), (-5, 5)), ((-105, 100), (-105, -87), (-5, 5)), (0.0, -36.7, 36.7), odd_halves(LN2, -1074, 60)),
    "sin": Function(gmpy2.sin, ((-10, 10), (-1000, 1000)), (), (0.0,), angles),
    "cos": Function(gmpy2.cos, ((-10, 10), (-1000, 1000)), (), (HALF_PI,), angles),
    "tan": Function(gmpy2.tan, ((-10, 10), (-1000, 1000)), (), (0.0, HALF_PI, HALF_PI / 2), angles),
    "asin": Function(gmpy2.asin, ((-1, 1), (0.45, 0.55)), (), (0.0, 1.0, -1.0, 0.5, -0.5), None),
    "acos": Function(gmpy2.acos, ((-1, 1), (0.45, 0.55)), (), (0.0, 1.0, -1.0, 0.5, -0.5), None),
    "atan": Function(gmpy2.atan, ((-10, 10), (-1.5, 1.5)), (), (0.0, 1.0, -1.0, 2**0.5 - 1, 2**0.5 + 1, 2.4375, 0.4375, 0.6875, 1.1875), None),
    "sinpi": Function(sinpi, ((-10, 10), (-0.5, 0.5)), (), (0.0, 1.0, 0.5, 0.25, 4503599627370496.0, 8388608.0), half_turns),
    "cospi": Function(cospi, ((-10, 10), (-1, 1)), (), (0.0, 1.0, 0.5, 0.25, 4503599627370496.0, 8388608.0), half_turns),
    "sinc": Function(sinc, ((-10, 10), (-0.5, 0.5)), (), (0.0, 1.0, 0.5, 0.25), half_turns, plain=True),
    "sinh": Function(gmpy2.sinh, ((-711, 711), (-3, 3), (-0.5, 0.5)), ((-90, 90), (-3, 3)), (0.0, 710.4758600739439, 89.41598629223294, 1.0, 0.35), odd_halves(LN2, -1024, 1024)),
    "cosh": Function(gmpy2.cosh, ((-711, 711), (-3, 3), (-0.5, 0.5)), ((-90, 90), (-3, 3)), (0.0, 710.4758600739439, 89.41598629223294, 1.0, 0.35), odd_halves(LN2, -1024, 1024)),
    "tanh": Function(gmpy2.tanh, ((-20, 20), (-3, 3), (-0.6, 0.6)), (), (0.0, 19.06, 9.01, 0.55, 0.35, 0.625), odd_halves(LN2 / 2, -40, 40)),
    "asinh": Function(gmpy2.asinh, ((-10, 10), (-1, 1)), (), (0.0, 1.0, 0.5, 2.0**28), binades),
    "acosh": Function(gmpy2.acosh, ((1, 10), (1, 1.5)), (), (1.0, 2.0, 1.25, 2.0**28), binades),
    "atanh": Function(gmpy2.atanh, ((-1, 1), (-0.5, 0.5)), (), (0.0, 1.0, -1.0, 0.5, 1 / 3), None),
    "rsqrt": Function(rsqrt, ((0, 10), (1, 4)), (), (1.0, 4.0, 2.0), binades),
    "cbrt": Function(gmpy2.cbrt, ((-10, 10), (1, 8)), (), (1.0, 8.0, -8.0, 27.0), binades),
    "erf": Function(gmpy2.erf, ((-1.5, 1.5), (-6, 6), (0.8, 1.3)), (), (0.0, 1.0, 6.0, 5.92, 0.8), None),
    "erfc": Function(gmpy2.erfc, ((-1.5, 1.5), (-6, 28), (26.5, 27.3), (0.7, 2)), ((-1.5, 1.5), (-4, 10.1), (9.1, 10.1), (0.7, 2)), (0.0, 0.8, 27.226, 10.05), None),
    "erfinv": Function(erfinv, ((-1, 1), (-0.5, 0.5), (0.9, 1)), (), (0.0, 1.0, -1.0, 0.5, 0.75, 0.85), None),
    "gamma": Function(gamma, ((-185, 172), (0, 5), (-10, 10)), ((-43, 36), (0, 5), (-10, 10)), (0.0, 1.0, 2.0, -1.0, -2.0, 171.6243769563027, 35.04, 1.4616321449683622, -184.0), zeros_of_lgamma),
    "lgamma": Function(lgamma, ((-30, 30), (0, 5), (0, 1000)), (), (0.0, 1.0, 2.0, 3.0, -1.0, 1.4616321449683622, 2.5e305, 4e36), zeros_of_lgamma),
    "pow": Function(power, more=powers, arity=2, formula="x ** y"),
    "atan2": Function(gmpy2.atan2, more=ratios, arity=2),
    "hypot": Function(gmpy2.hypot, more=ratios, arity=2),
    "logaddexp": Function(logaddexp, more=sums, arity=2),
    "xlogy": Function(xlogy, more=by_logarithms, arity=2),
}


def formula(name):
    function = FUNCTIONS[name]
    return function.formula or f"{name}({', '.join('xy'[: function.arity])})"


NUMPY_NAMES = {"arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan", "arctanh": "atanh"}


def numpy_inputs(name, form):
    """The inputs of NumPy's validation set for a function, if there is one and numpy is here."""
    try:
        import numpy
    except ImportError:
        return []
    ours = {ours: theirs for theirs, ours in NUMPY_NAMES.items()}
    path = pathlib.Path(numpy.__file__).parent / "_core/tests/data" / f"umath-validation-set-{ours.get(name, name)}.csv"
    if not path.exists():
        return []
    wanted = {"f64": "np.float64", "f32": "np.float32"}[form.name]
    with path.open() as file:
        rows = csv.reader(line for line in file if not line.startswith(("#", "dtype")))
        return [(form.from_bits(int(row[1], 16)),) for row in rows if row and row[0] == wanted]
