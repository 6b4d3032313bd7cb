"""A definition and arrays in files to times of one Python engine; spoken to in lines, as `src/suite/worker.rs` describes.

usage: worker.py ENGINE DEFINITION DIRECTORY N THREADS
"""

import os
import sys
import time
import tomllib

ENGINE, DEFINITION, DIRECTORY, N, THREADS = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
for variable in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMEXPR_MAX_THREADS"):
    os.environ[variable] = str(THREADS)
os.environ["OPENBLAS_NUM_THREADS"] = "1"
if ENGINE == "jax":
    os.environ["JAX_ENABLE_X64"] = "1"
    os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np  # noqa: E402  the environment comes first

# Wall time where threads share the work; where one works, what the process spends on a core.
clock = time.perf_counter_ns if THREADS > 1 else time.process_time_ns


def shape(definition, n):
    if definition.get("rank", 1) == 1:
        return (n,)
    if columns := definition.get("columns"):
        return (n // columns, columns)
    side = round(n**0.5)
    assert side * side == n
    return (side, side)


def aligned(dtype, shape):
    """An array at the start of a cache line, its pages met."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.ones(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


def load(definition, n):
    arrays = {}
    for array in definition["inputs"]:
        arrays[array["name"]] = aligned(array["dtype"], shape(definition, n))
        name = os.path.join(DIRECTORY, array["name"] + ".bin")
        arrays[array["name"]].reshape(-1)[:] = np.fromfile(name, array["dtype"])
    return arrays


def outputs(definition, n):
    out = {}
    for array in definition["outputs"]:
        out[array["name"]] = aligned(array["dtype"], (1,) if array.get("single") else shape(definition, n))
    return out


def numpy_engine(text, inputs, out, scalars):
    code = compile(text, "formula", "exec")
    names = {"np": np, **inputs, **scalars}
    np.seterr(all="ignore")

    def run():
        exec(code, names)

    return run, lambda: {name: names[name] for name in out}


def numexpr_engine(text, inputs, out, scalars):
    import numexpr

    numexpr.set_num_threads(THREADS)
    names = {**inputs, **scalars}
    single = {name: array.reshape(()) if array.shape == (1,) else array for name, array in out.items()}

    def run():
        for name, formula in text.items():
            numexpr.evaluate(formula, names, out=single[name], casting="same_kind")

    return run, lambda: out


def numba_engine(text, inputs, out, scalars):
    import math

    import numba

    numba.set_num_threads(THREADS)
    arrays = [*inputs.values(), *out.values()]
    indented = "\n".join("    " + line for line in text.strip().splitlines())
    names = {"prange": numba.prange, "np": np, "math": math, **vars(math), **scalars, "n": N}
    exec(f"def body({', '.join([*inputs, *out])}):\n{indented}\n", names)
    body = numba.njit(parallel=True, fastmath=True, error_model="numpy")(names["body"])
    return lambda: body(*arrays), lambda: out


def jax_engine(text, inputs, out, scalars):
    import jax
    import jax.numpy as jnp

    names = {"jnp": jnp, "jax": jax, "n": N, **scalars}
    given = [f"{name}_before" for name in out]
    indented = "\n".join("    " + line for line in text.strip().splitlines())
    exec(f"def body({', '.join([*given, *inputs])}):\n{indented}\n    return ({', '.join(out)},)\n", names)
    body = jax.jit(names["body"], donate_argnums=tuple(range(len(out))), keep_unused=True)
    arrays = [jnp.asarray(array) for array in inputs.values()]
    state = [tuple(jnp.asarray(array).reshape(() if array.shape == (1,) else array.shape) for array in out.values())]

    def run():
        state[0] = jax.block_until_ready(body(*state[0], *arrays))

    return run, lambda: dict(zip(out, state[0], strict=True))


def symjit_engine(text, inputs, out, scalars):
    import sympy
    import symjit

    symbols = [sympy.Symbol(name) for name in inputs]
    formulas = [sympy.sympify(formula, locals=scalars, evaluate=False) for formula in text.values()]
    body = symjit.compile_func(symbols, formulas, use_threads=THREADS > 1)
    arrays = list(inputs.values())
    state = [None]

    def run():
        state[0] = body(*arrays)

    return run, lambda: dict(zip(out, state[0], strict=True))


ENGINES = {"numpy": numpy_engine, "numexpr": numexpr_engine, "numba": numba_engine, "jax": jax_engine, "symjit": symjit_engine}
MODULES = {"numpy": [], "numexpr": ["numexpr"], "numba": ["llvmlite.binding"], "jax": ["jax", "jax.numpy"], "symjit": ["sympy", "symjit"]}


def main():
    with open(DEFINITION, "rb") as file:
        definition = tomllib.load(file)
    text = definition["peers"].get(ENGINE)
    if text is None:
        return print("cannot the definition has no formula for it", flush=True)
    try:
        for module in MODULES[ENGINE]:
            __import__(module)
    except ImportError as error:
        return print(f"cannot {error}", flush=True)
    inputs, out = load(definition, N), outputs(definition, N)
    start = time.perf_counter_ns()
    run, results = ENGINES[ENGINE](text, inputs, out, definition.get("scalars", {}))
    run()
    print(f"ready {time.perf_counter_ns() - start}", flush=True)
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "check":
            run()
            for name, array in results().items():
                dtype = next(o["dtype"] for o in definition["outputs"] if o["name"] == name)
                np.ascontiguousarray(array).astype(dtype).tofile(os.path.join(DIRECTORY, f"{ENGINE}.{name}.bin"))
            print("checked", flush=True)
        elif word == "run":
            times = int(rest[0])
            for _ in range(times // 2 if THREADS > 1 else 0):
                run()
            start = clock()
            for _ in range(times):
                run()
            print(clock() - start, flush=True)


main()
