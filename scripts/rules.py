"""The operators and functions of the language on NumPy arrays: what numpy 2 gives, and where numlift differs on purpose.

Each operation is a row of OPS: the formula, how its result dtype follows from the dtypes of its operands (None: a dtype
error), and its values. NumPy is the authority unless the row cites a rule of the language:

  [bool]     "bool with bool": `+` is or, `*` is and; `-`, unary `- +`, `sign` are errors; `// % ** << >> square` in i8
  [float]    a float function computes in f64 where its arguments join to bool or an integer (numpy: f16, f32 or f64)
  [negpow]   int ** negative is 0, but 1**n is 1 and (-1)**n is +-1 (numpy raises)
  [zeros]    minimum, maximum, fmin, fmax order the zeros: -0 < +0, as IEEE 754-2019 (numpy: the later operand)
  [clip]     clip is minimum(maximum(x, lo), hi)
  [sat]      float to int saturates, NaN gives 0 (numpy: whatever the CPU does)
  [bits]     popcount, clz, ctz, rotl, rotr act on the two's complement bits and keep the dtype (numpy counts abs)
  [recip]    reciprocal(x) is 1/x (numpy: an integer for integers)
  [nan]      every NaN reads as the positive quiet NaN in `bitcast`, `signbit` and copysign's sign operand
  [truth]    conditions: nonzero is true, NaN is true
"""

import re

import gmpy2
import numpy as np

np.seterr(all="ignore")

NAMES = ["bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64"]
NUMPY = dict(zip(NAMES, [np.dtype(t) for t in "? i1 i2 i4 i8 u1 u2 u4 u8 f4 f8".split()]))
NAME_OF = {dtype: name for name, dtype in NUMPY.items()}
SIGNED, UNSIGNED, FLOATS = NAMES[1:5], NAMES[5:9], NAMES[9:]
INTS = SIGNED + UNSIGNED


def width(name):
    return NUMPY[name].itemsize * 8


def int_range(name):
    if name == "bool":
        return 0, 1
    if name in SIGNED:
        return -(1 << (width(name) - 1)), (1 << (width(name) - 1)) - 1
    return 0, (1 << width(name)) - 1


def wrap(value, name):
    """`value` modulo the width of the dtype, in its range."""
    value &= (1 << width(name)) - 1
    return value - (1 << width(name)) if name in SIGNED and value >> (width(name) - 1) else value


def join(names):
    """numpy's result_type of them all."""
    return NAME_OF[np.result_type(*[NUMPY[name] for name in names])]


def numpy_dtype(ufunc):
    """The result dtype that numpy gives; None where numpy has no loop."""

    def dtype(*names):
        try:
            return NAME_OF[ufunc.resolve_dtypes((*[NUMPY[name] for name in names], None))[-1]]
        except TypeError:
            return None

    return dtype


def integers(names, otherwise):
    """`otherwise` for ints, bools; None as soon as the join is a float."""
    return None if join(names) in FLOATS else otherwise


def joined(*names):
    return join(names)


def bool_as_i8(*names):
    return "i8" if join(names) == "bool" else join(names)


def float_rule(*names):
    """[float]"""
    return join(names) if join(names) in FLOATS else "f64"


def float_only(*names):
    """For operations that the language defines on floats alone, or leaves open for integers."""
    return join(names) if all(name in FLOATS for name in names) else None


def to_bool(*names):
    return "bool"


def as_dtype(array, name):
    """A conversion as the language makes it: [sat], [truth]; integers wrap, everything else rounds once."""
    source = NAME_OF[array.dtype]
    if name == "bool":
        return np.array([bool(v != 0) for v in array.tolist()], bool)
    if source in FLOATS and name in INTS:
        return np.array([saturate(v, name) for v in array.tolist()], NUMPY[name])
    return array.astype(NUMPY[name])


def saturate(value, name):
    """[sat]"""
    low, high = int_range(name)
    if value != value:
        return 0
    if value in (float("inf"), float("-inf")):
        return high if value > 0 else low
    return min(max(int(value), low), high)


def ints(function):
    """An operation on integers, one element at a time in Python's exact integers, wrapped into the dtype."""

    def values(name, *arrays):
        return np.array([wrap(function(name, *row), name) for row in zip(*[a.tolist() for a in arrays])], NUMPY[name])

    return values


def by_dtype(for_ints, for_floats):
    return lambda name, *arrays: (for_floats if name in FLOATS else for_ints)(name, *arrays)


def agreeing(with_python, with_numpy):
    """Integers in Python and in numpy, which must agree; floats in numpy."""

    def values(name, *arrays):
        expected = with_numpy(*arrays)
        if name not in FLOATS:
            assert (with_python(name, *arrays) == expected).all(), (name, with_numpy)
        return expected

    return values


def floor_divide(name, x, y):
    return 0 if y == 0 else x // y


def remainder(name, x, y):
    return 0 if y == 0 else x % y


def fmod(name, x, y):
    if y == 0:
        return 0
    rest = abs(x) % abs(y)
    return -rest if x < 0 else rest


def power(name, x, y):
    """[negpow]"""
    if y >= 0:
        return pow(x, y, 1 << 64)
    return {1: 1, -1: -1 if y % 2 else 1}.get(x, 0)


def shift_left(name, x, y):
    return x << y if 0 <= y < width(name) else 0


def shift_right(name, x, y):
    return x >> y if 0 <= y < width(name) else (-1 if x < 0 else 0)


def bits_of(name, x):
    return x & ((1 << width(name)) - 1)


def clz(name, x):
    return width(name) - bits_of(name, x).bit_length()


def ctz(name, x):
    bits = bits_of(name, x)
    return width(name) if bits == 0 else (bits & -bits).bit_length() - 1


def rotate_left(name, x, n):
    bits, n = bits_of(name, x), n % width(name)
    return (bits << n) | (bits >> (width(name) - n))


def pick(better, ignore_nan):
    """[zeros] minimum and maximum of IEEE 754-2019: `better(a, b)` says whether a is chosen, zeros told apart."""

    def choose(a, b):
        if a != a or b != b:
            return (b if a != a else a) if ignore_nan else float("nan")
        if a == b == 0:
            return a if better(np.copysign(1, a), np.copysign(1, b)) else b
        return a if better(a, b) else b

    def values(name, x, y):
        if name not in FLOATS:
            return np.minimum(x, y) if better(0, 1) else np.maximum(x, y)
        return np.array([choose(a, b) for a, b in zip(x.tolist(), y.tolist())], NUMPY[name])

    return values


minimum, maximum = pick(lambda a, b: a <= b, False), pick(lambda a, b: a >= b, False)
fmin, fmax = pick(lambda a, b: a <= b, True), pick(lambda a, b: a >= b, True)


def clip(name, x, low, high):
    """[clip]"""
    return minimum(name, maximum(name, x, low), high)


def fused(name, x, y, z):
    """One rounding, from MPFR with subnormals of the format."""
    with gmpy2.context(gmpy2.ieee(width(name))):
        rows = zip(x.tolist(), y.tolist(), z.tolist())
        return np.array([float(gmpy2.fma(gmpy2.mpfr(a), gmpy2.mpfr(b), gmpy2.mpfr(c))) for a, b, c in rows], NUMPY[name])


def fdim(name, x, y):
    """C's fdim."""
    return np.where(np.isnan(x) | np.isnan(y), x + y, np.where(x > y, x - y, np.zeros_like(x)))


def roundaway(name, x):
    """C's round: half away from zero; integers as they are."""
    if name not in FLOATS:
        return x
    whole = np.trunc(x)
    return np.where(np.abs(x - whole) >= 0.5, whole + np.copysign(np.ones_like(x), x), whole)


def frac(name, x):
    return x - np.floor(x)


def lerp(name, a, b, t):
    return a + t * (b - a)


def truth(x):
    """[truth]"""
    return x != 0


def positive_nan(x):
    """[nan]"""
    return np.where(np.isnan(x), np.full_like(x, np.nan), x) if x.dtype.kind == "f" else x


def signbit(name, x):
    return np.signbit(positive_nan(x)) if name in FLOATS else x < 0


def isnormal(name, x):
    return np.isfinite(x) & (np.abs(x) >= np.finfo(x.dtype).smallest_normal)


def sign(name, x):
    return np.sign(x) + np.zeros_like(x)  # `sign(-0.)` is +0


def rounded(x):
    return np.rint(x) if x.dtype.kind == "f" else x


def compare(operator):
    """Comparisons: ints by true value, bool as 0 and 1, an integer with a float in the promoted dtype."""

    def values(x, y):
        if x.dtype.kind != "f" and y.dtype.kind != "f":
            return np.array([operator(int(a), int(b)) for a, b in zip(x.tolist(), y.tolist())], bool)
        name = join([NAME_OF[x.dtype], NAME_OF[y.dtype]])
        return operator(as_dtype(x, name), as_dtype(y, name))

    return values


def computed_in(values, compute):
    """`values` on operands that were first converted to the dtype that `compute` gives for theirs."""

    def run(*arrays):
        name = compute(*[NAME_OF[a.dtype] for a in arrays])
        return values(name, *[as_dtype(a, name) for a in arrays])

    return run


class Op:
    """`dtype(*names)` is the result dtype or None; `values(*arrays)` the results, of that dtype."""

    def __init__(self, formula, dtype, values, file, compute=None, raw=False, edges=None, mixed=True, takes=NAMES):
        self.formula, self.dtype, self.file = formula, dtype, file
        self.edges, self.mixed, self.takes = edges, mixed, takes
        self.values = values if raw else computed_in(values, compute or dtype)
        self.operands = operands(formula)


def operands(formula):
    """The names of the variables, in order of first appearance."""
    names = re.findall(r"\b[a-z_]\w*\b(?!\()", formula)
    return list(dict.fromkeys(n for n in names if n not in ("and", "or", "not", "if", "else", *NAMES)))


def numpy_values(ufunc):
    return lambda name, *arrays: ufunc(*arrays)


def numpy_op(formula, ufunc, file, **options):
    return Op(formula, numpy_dtype(ufunc), numpy_values(ufunc), file, **options)


def bits_dtype(*names):
    """[bits] integers alone."""
    return join(names) if all(name in INTS for name in names) and join(names) in INTS else None


def shift_dtype(*names):
    return integers(names, bool_as_i8(*names))


def no_bool(*names):
    """[bool] `-`, unary `- +`, `sign` are errors on bools alone."""
    return None if join(names) == "bool" else join(names)


def sides(condition, *names):
    return join(names)


def select(condition, x, y):
    name = join([NAME_OF[x.dtype], NAME_OF[y.dtype]])
    return np.where(truth(condition), as_dtype(x, name), as_dtype(y, name))


OPS = [
    # arithmetic
    numpy_op("x + y", np.add, "arithmetic"),
    Op("x - y", no_bool, numpy_values(np.subtract), "arithmetic", mixed=False),
    numpy_op("x * y", np.multiply, "arithmetic", mixed=False),
    Op("x / y", float_rule, numpy_values(np.true_divide), "arithmetic", edges="floats"),
    Op("-x", no_bool, numpy_values(np.negative), "arithmetic"),
    Op("+x", no_bool, numpy_values(np.positive), "arithmetic"),
    Op("negative(x)", no_bool, numpy_values(np.negative), "arithmetic"),
    Op("positive(x)", no_bool, numpy_values(np.positive), "arithmetic"),
    numpy_op("abs(x)", np.absolute, "arithmetic"),
    Op("sign(x)", no_bool, sign, "arithmetic"),
    Op("signbit(x)", to_bool, signbit, "arithmetic", compute=joined),
    Op("copysign(x, y)", float_rule, lambda _, x, y: np.copysign(x, positive_nan(y)), "arithmetic", mixed=False, edges="floats"),
    Op("reciprocal(x)", float_rule, lambda _, x: 1 / x, "arithmetic"),
    Op("square(x)", bool_as_i8, lambda _, x: x * x, "arithmetic"),
    Op("sqrt(x)", float_rule, numpy_values(np.sqrt), "arithmetic"),
    Op("fma(x, y, z)", float_only, fused, "arithmetic", mixed=False),
    Op("fdim(x, y)", float_only, fdim, "arithmetic", mixed=False),
    Op("lerp(x, y, t)", float_only, lerp, "arithmetic", mixed=False),
    Op("deg2rad(x)", float_rule, numpy_values(np.deg2rad), "arithmetic"),
    Op("rad2deg(x)", float_rule, numpy_values(np.rad2deg), "arithmetic"),
    # division and powers
    Op("x // y", bool_as_i8, agreeing(ints(floor_divide), np.floor_divide), "division", mixed=False),
    Op("x % y", bool_as_i8, agreeing(ints(remainder), np.remainder), "division", mixed=False),
    Op("floor_divide(x, y)", bool_as_i8, agreeing(ints(floor_divide), np.floor_divide), "division", mixed=False, edges="few"),
    Op("remainder(x, y)", bool_as_i8, agreeing(ints(remainder), np.remainder), "division", mixed=False, edges="few"),
    Op("fmod(x, y)", bool_as_i8, agreeing(ints(fmod), np.fmod), "division", mixed=False),
    Op("x ** y", bool_as_i8, ints(power), "division", edges="power", mixed=False, takes=["bool", *INTS]),
    # bits
    numpy_op("x & y", np.bitwise_and, "bits", mixed=False),
    numpy_op("x | y", np.bitwise_or, "bits"),
    numpy_op("x ^ y", np.bitwise_xor, "bits", mixed=False),
    numpy_op("~x", np.invert, "bits"),
    Op("x << y", shift_dtype, ints(shift_left), "bits", edges="shift"),
    Op("x >> y", shift_dtype, ints(shift_right), "bits", edges="shift", mixed=False),
    Op("popcount(x)", bits_dtype, ints(lambda name, x: bits_of(name, x).bit_count()), "bits"),
    Op("clz(x)", bits_dtype, ints(clz), "bits"),
    Op("ctz(x)", bits_dtype, ints(ctz), "bits"),
    Op("rotl(x, y)", bits_dtype, ints(rotate_left), "bits", edges="shift", mixed=False),
    Op("rotr(x, y)", bits_dtype, ints(lambda name, x, n: rotate_left(name, x, -n)), "bits", edges="shift", mixed=False),
    # comparisons and logic
    Op("x == y", to_bool, compare(lambda a, b: a == b), "logic", raw=True),
    Op("x != y", to_bool, compare(lambda a, b: a != b), "logic", raw=True, mixed=False),
    Op("x < y", to_bool, compare(lambda a, b: a < b), "logic", raw=True),
    Op("x <= y", to_bool, compare(lambda a, b: a <= b), "logic", raw=True, mixed=False),
    Op("x > y", to_bool, compare(lambda a, b: a > b), "logic", raw=True, mixed=False),
    Op("x >= y", to_bool, compare(lambda a, b: a >= b), "logic", raw=True),
    Op("x and y", to_bool, lambda x, y: truth(x) & truth(y), "logic", raw=True),
    Op("x or y", to_bool, lambda x, y: truth(x) | truth(y), "logic", raw=True, mixed=False),
    Op("not x", to_bool, lambda x: ~truth(x), "logic", raw=True),
    Op("logical_and(x, y)", to_bool, lambda x, y: truth(x) & truth(y), "logic", raw=True, mixed=False, edges="few"),
    Op("logical_or(x, y)", to_bool, lambda x, y: truth(x) | truth(y), "logic", raw=True, mixed=False, edges="few"),
    Op("logical_xor(x, y)", to_bool, lambda x, y: truth(x) ^ truth(y), "logic", raw=True, mixed=False, edges="few"),
    Op("logical_not(x)", to_bool, lambda x: ~truth(x), "logic", raw=True),
    Op("where(c, x, y)", sides, select, "logic", raw=True, edges="select"),
    Op("x if c else y", lambda x, c, y: join([x, y]), lambda x, c, y: select(c, x, y), "logic", raw=True, edges="select",
       mixed=False),
    Op("isnan(x)", to_bool, numpy_values(np.isnan), "logic", compute=joined),
    Op("isinf(x)", to_bool, numpy_values(np.isinf), "logic", compute=joined),
    Op("isfinite(x)", to_bool, numpy_values(np.isfinite), "logic", compute=joined),
    Op("isnormal(x)", lambda x: "bool" if x in FLOATS else None, isnormal, "logic", compute=joined),
    # extremes
    Op("minimum(x, y)", joined, minimum, "extremes"),
    Op("maximum(x, y)", joined, maximum, "extremes", mixed=False),
    Op("fmin(x, y)", joined, fmin, "extremes", mixed=False),
    Op("fmax(x, y)", joined, fmax, "extremes", mixed=False),
    Op("clip(x, a, b)", joined, clip, "extremes", edges="clip", mixed=False),
    # rounding
    numpy_op("floor(x)", np.floor, "rounding"),
    numpy_op("ceil(x)", np.ceil, "rounding"),
    numpy_op("trunc(x)", np.trunc, "rounding"),
    Op("round(x)", lambda x: x if x != "bool" else None, lambda _, x: rounded(x), "rounding"),
    Op("roundaway(x)", lambda x: x if x != "bool" else None, roundaway, "rounding", mixed=False),
    Op("frac(x)", float_only, frac, "rounding"),
]

# The language leaves the dtype of these open for some operands: the promotion table skips them.
OPEN = {op.formula for op in OPS if op.dtype in (float_only, bits_dtype)} | {"isnormal(x)", "round(x)", "roundaway(x)"}
