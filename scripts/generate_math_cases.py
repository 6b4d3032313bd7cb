"""Writes tests/data/math_{exp,log,sin,cos,erf,erfc,pow}.txt: true values of the elementary functions, by MPFR.

A line is `x result rest`, for pow `x y result rest`: bits in hex, 16 digits for f64 and 8 for f32, the result rounded to
nearest, and what the true value exceeds it by, in hundredths of the true value's ulp. Every NaN is the positive quiet one.
The inputs: special values of C99 Annex F, all exponents, subnormals, what lies round zeros, poles and the points where
implementations change their reduction, and for sin and cos the floats nearest to multiples of pi/2 in every third binade.
"""

import itertools
import pathlib
import random
import struct

import gmpy2
from gmpy2 import mpfr, mpz

OUT = pathlib.Path(__file__).parent.parent / "tests/data"
INF, NAN = float("inf"), float("nan")
gmpy2.get_context().precision = 300
# Bits of the mantissa, exponent of the least subnormal, exponent above the greatest number, letter for struct.
FORMATS = {"f64": (53, -1074, 1024, "d", 16), "f32": (24, -149, 128, "f", 8)}


def hex_of(x, letter):
    return struct.pack(">" + letter, NAN if x != x else x).hex()


def from_bits(bits, name):
    _, _, _, letter, digits = FORMATS[name]
    return struct.unpack(">" + letter, bits.to_bytes(digits // 2, "big"))[0]


def to_format(x, name):
    return x if name == "f64" else to_f32(x)


def to_f32(x):
    try:
        return struct.unpack(">f", struct.pack(">f", x))[0]
    except OverflowError:
        return INF if x > 0 else -INF


def rounded(true, name):
    """The nearest number of the format, and what is left in hundredths of an ulp."""
    bits, least, top, _, _ = FORMATS[name]
    if gmpy2.is_nan(true) or gmpy2.is_infinite(true) or gmpy2.is_zero(true):
        return float(true), 0
    exponent = gmpy2.get_exp(true)  # |true| lies in 2^exponent * [1/2, 1)
    if exponent > top:
        return (INF if true > 0 else -INF), 0
    ulp = max(exponent - bits, least)
    scaled = true / mpfr(2) ** ulp
    units = gmpy2.rint(scaled)
    rest = float(scaled - units)
    if gmpy2.is_zero(units):
        result = 0.0 if true > 0 else -0.0
    elif abs(units) * mpfr(2) ** ulp >= mpfr(2) ** top:
        result, rest = (INF if true > 0 else -INF), 0
    else:
        result = float(units * mpfr(2) ** ulp)
    return result, round(rest * 100)


def hard_cases():
    """Floats in every binade that lie nearest to a multiple of pi/2, by continued fractions."""
    with gmpy2.context(gmpy2.get_context(), precision=2400):
        half_pi = gmpy2.const_pi() / 2
        for exponent in range(-53, 972, 3):
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


SPECIAL = [0.0, 1.0, 2.0, 3.0, 0.5, 1.5, INF, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308]
SPECIAL += [1 - 2.0**-53, 1 + 2.0**-52, 2.0**53 - 1, 2.0**52 + 1, 2.0**52 - 0.5, 1e300, 1e-300]
SPECIAL = [NAN] + [sign * x for x in SPECIAL for sign in (1, -1)]


def special(name):
    return [to_format(x, name) for x in SPECIAL] + [sign * from_bits(1, name) for sign in (1, -1)]


def any_bits(name, count, rng):
    digits = FORMATS[name][4]
    return [from_bits(rng.getrandbits(digits * 4), name) for _ in range(count)]


def cases(function, name, rng, count):
    """The inputs of a function of one argument."""
    bits, least, top, _, _ = FORMATS[name]
    uniform = rng.uniform
    ln2 = 0.6931471805599453
    if function == "exp":
        low, high = least * ln2, top * ln2
        yield from (uniform(low - 1, high) for _ in range(count))
        yield from (uniform(-1, 1) for _ in range(count // 2))
        yield from (uniform(-1, 1) * 2.0 ** -rng.randrange(60) for _ in range(count // 4))
        yield from (uniform(low - 1, (least + bits) * ln2) for _ in range(count // 4))
        # Between n and n + 1 halves of ln 2 the reduction changes.
        for _ in range(count // 2):
            yield (rng.randrange(least, top) + 0.5) * ln2 * (1 + uniform(-1e-5, 1e-5))
        yield from (high * (1 + uniform(-1e-4, 0)) for _ in range(count // 20))
    elif function == "log":
        yield from (abs(x) for x in any_bits(name, count, rng))
        yield from (uniform(0.5, 2) for _ in range(count // 2))
        yield from (1 + uniform(-1, 1) * 2.0 ** -rng.randrange(54) for _ in range(count // 2))
        yield from (2.0 ** (rng.randrange(-20, 20) + 0.5) * uniform(0.99, 1.01) for _ in range(count // 2))
        yield from (from_bits(rng.getrandbits(rng.randrange(1, bits)), name) for _ in range(count // 4))
    elif function in ("erf", "erfc"):
        end = 27.3 if name == "f64" else 10.1
        yield from (uniform(-1.5, 1.5) for _ in range(count))
        yield from (uniform(-6, 6) for _ in range(count // 2))
        yield from (uniform(-1, 1) * 2.0 ** -rng.randrange(1080) for _ in range(count // 4))
        yield from (uniform(0, end) for _ in range(count // 2))
        yield from (end * uniform(0.97, 1) for _ in range(count // 2))
        # Where the ways of computing meet.
        yield from (rng.choice([0.8, 1, 6]) * (1 + uniform(-1e-6, 1e-6)) for _ in range(count // 10))
    else:
        half_pi = 1.5707963267948966
        yield from (uniform(-10, 10) for _ in range(count // 2))
        yield from (uniform(-1, 1) * 2.0 ** -rng.randrange(60) for _ in range(count // 4))
        yield from (uniform(-1, 1) * 2.0 ** rng.randrange(45) for _ in range(count // 2))
        for _ in range(count // 2):
            yield rng.randrange(1 << rng.randrange(1, 26)) * half_pi / 2 * (1 + uniform(-1e-9, 1e-9))
        yield from (rng.randrange(1 << rng.randrange(1, 50)) * half_pi for _ in range(count // 3))
        yield from any_bits(name, count // 3, rng)
        if name == "f64":
            yield from hard_cases()
            yield float.fromhex("0x1.4c96c11134d36p+578")
            # Where the ways of reducing meet.
            yield from (26353589.0 + uniform(-20, 20) for _ in range(20))
        else:
            yield from (274877906944.0 * (1 + uniform(-1e-6, 1e-6)) for _ in range(20))


def power_cases(name, rng, count):
    """The inputs of pow."""
    bits, least, top, _, _ = FORMATS[name]
    low, high = least * 0.6931471805599453, top * 0.6931471805599453
    chosen = [NAN, 0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, -3.0, 2.5, -2.5, INF, -INF, 2.0**bits, 1 - 2.0**-bits, 1e30]
    yield from itertools.product(chosen, chosen)

    def reaching(x):
        """A y with which x gives any result from underflow to overflow."""
        log = float(gmpy2.log(mpfr(x)))
        return x, rng.uniform(low - 1, high) / log if log else 1.0

    for _ in range(count):
        yield reaching(abs(any_bits(name, 1, rng)[0]))
        yield reaching(rng.uniform(0.5, 2))
    for _ in range(count // 2):
        yield reaching(1 + rng.uniform(-0.5, 1) * 2.0 ** -rng.randrange(bits))
        yield reaching(2.0 ** (rng.randrange(-2, 2) + 0.5) * rng.uniform(0.99, 1.01))
        x = rng.uniform(0.5, 2)
        yield x, rng.uniform(low - 1, (least + bits) * 0.6931471805599453) / float(gmpy2.log(x))
        yield rng.uniform(-20, 20), float(rng.randrange(-30, 30))
    for _ in range(count // 2):
        # Literal exponents have ways of their own.
        n = rng.choice([3, 4, 5, 6, 7, 10, 17, 100, 1023, 1024, -2, -3, -4, -7, -100, -1024, 0.5])
        sign = rng.choice([1, -1])
        yield sign * 2.0 ** min(max(rng.uniform(least - 2, top + 1) / n, least), top - 1), n
    for _ in range(count // 4):
        yield from_bits(rng.getrandbits(rng.randrange(1, bits)), name), rng.uniform(-1.5, 1.5)


FUNCTIONS = {"exp": gmpy2.exp, "log": gmpy2.log, "sin": gmpy2.sin, "cos": gmpy2.cos, "erf": gmpy2.erf, "erfc": gmpy2.erfc}


def write(function, inputs, apply):
    lines = []
    for name, rows in inputs:
        letter = FORMATS[name][3]
        seen = set()
        for row in rows:
            row = [to_format(float(x), name) for x in row]
            key = " ".join(hex_of(x, letter) for x in row)
            if key in seen:
                continue
            seen.add(key)
            result, rest = rounded(apply(*row), name)
            lines.append(f"{key} {hex_of(result, letter)} {rest}")
    path = OUT / f"math_{function}.txt"
    path.write_text("\n".join(lines) + "\n")
    print(path.name, len(lines), "rows")


def main():
    for function, apply in FUNCTIONS.items():
        rng = random.Random(function)
        inputs = []
        for name, count in ("f64", 500), ("f32", 160):
            values = itertools.chain(special(name), cases(function, name, rng, count))
            inputs.append((name, [(x,) for x in values]))
        write(function, inputs, lambda x: apply(mpfr(x)))
    rng = random.Random("pow")
    write("pow", [(name, power_cases(name, rng, count)) for name, count in (("f64", 400), ("f32", 120))], lambda x, y: mpfr(x) ** mpfr(y))


if __name__ == "__main__":
    main()
