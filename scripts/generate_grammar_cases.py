"""Random expressions of the subset that Python and numlift share, with their structure as Python's own `ast` sees it.

Writes tests/data/grammar.txt: a line a case, the expression, a tab, its structure as an S-expression or `error`.
Needs nothing but Python 3.11 or newer: python3 scripts/generate_grammar_cases.py
"""

import ast
import pathlib
import random
import struct
import warnings

SEED = 20
TREES = 2600
ROWS = 1800

NAMES = ["a", "b", "c", "x1", "_y", "größe", "Δt", "iffy", "notable", "orb", "And", "e", "f32"]
NUMBERS = ["0", "1", "2", "10", "1_000", "0xff", "0XAB_cd", "0o17", "0b101", "1.", ".5", "1.5", "1e3", "1e-3", "2.5E+7", "1_0.2_5",
           "3.14159", "00", "1e400", "170141183460469231731687303715884105727", "0.1", "5e-324", "1.e5", ".5e1", "0_0", "01.5", "010.e1"]
BINARY = ["+", "-", "*", "/", "//", "%", "**", "&", "|", "^", "<<", ">>"]
COMPARE = ["<", "<=", ">", ">=", "==", "!="]
FUNCTIONS = ["f", "sin", "g2"]


def space(rng):
    return rng.choice(["", "", " ", " ", "  ", "\t"])


def tree(rng, depth):
    """Text by the rules of the grammar, with parentheses where chance wants them."""
    kind = rng.random()
    if depth == 0 or kind < 0.16:
        return rng.choice(NUMBERS) if rng.random() < 0.4 else rng.choice(NAMES + ["True", "False"])
    part = lambda: tree(rng, depth - 1)
    gap = space(rng)
    if kind < 0.48:
        return f"{part()}{gap}{rng.choice(BINARY)}{gap}{part()}"
    if kind < 0.58:
        chain = "".join(f"{gap}{rng.choice(COMPARE)}{gap}{part()}" for _ in range(rng.choice([1, 1, 1, 2, 3])))
        return part() + chain
    if kind < 0.66:
        return f"{rng.choice('-+~')}{gap}{part()}"
    if kind < 0.71:
        return f"not {part()}"
    if kind < 0.79:
        return f"{part()} {rng.choice(['and', 'or'])} {part()}"
    if kind < 0.85:
        return f"{part()} if {part()} else {part()}"
    if kind < 0.91:
        arguments = [part() for _ in range(rng.randrange(4))]
        if rng.random() < 0.3:
            arguments.append(f"k{gap}={gap}{part()}")
        comma = "," if arguments and rng.random() < 0.1 else ""
        return f"{rng.choice(FUNCTIONS)}{gap}({gap}{f',{gap}'.join(arguments)}{comma})"
    return f"({gap}{part()}{gap})"


def row(rng):
    """Words and symbols in a row: most make no sense, and both sides should say so."""
    tokens = ["a", "b", "1", "2.5", "(", ")", "-", "~", "+", "*", "**", "//", "<", "==", "&", "|", "<<", "and", "or", "not", "if", "else"]
    out = []
    operand = True
    for _ in range(rng.randint(2, 11)):
        if rng.random() < 0.06:
            out.append(rng.choice(tokens))
        elif operand:
            token = rng.choice(["a", "b", "1", "2.5", "-", "~", "not", "("])
            operand = token in ["-", "~", "not", "("]
            out.append(token)
        else:
            token = rng.choice(["+", "-", "*", "**", "<", "==", "&", "|", "<<", "and", "or", "if", "else", "if", "else", ")"])
            operand = token != ")"
            out.append(token)
    out.extend(")" * max(0, out.count("(") - out.count(")")) if rng.random() < 0.9 else [])
    return " ".join(out)


SYMBOLS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**", ast.BitAnd: "&",
    ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Eq: "==", ast.NotEq: "!=", ast.USub: "-", ast.UAdd: "+", ast.Invert: "~", ast.Not: "not", ast.And: "and", ast.Or: "or",
}


class OutsideSubset(Exception):
    pass


def structure(node):
    match node:
        case ast.Constant(value=bool(value)):
            return str(value)
        case ast.Constant(value=int(value)):
            return str(value)
        case ast.Constant(value=float(value)):
            return f"f{struct.unpack('>Q', struct.pack('>d', value))[0]:016x}"
        case ast.Name(id=name):
            return name
        case ast.UnaryOp(op=op, operand=operand):
            return f"({SYMBOLS[type(op)]} {structure(operand)})"
        case ast.BinOp(left=left, op=op, right=right):
            return f"({SYMBOLS[type(op)]} {structure(left)} {structure(right)})"
        case ast.BoolOp(op=op, values=[first, *rest]):
            text = structure(first)
            for value in rest:
                text = f"({SYMBOLS[type(op)]} {text} {structure(value)})"
            return text
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            rest = (f"{SYMBOLS[type(op)]} {structure(operand)}" for op, operand in zip(ops, comparators))
            return f"(compare {structure(left)} {' '.join(rest)})"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return f"(if {structure(test)} {structure(body)} {structure(orelse)})"
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            named = (f"{keyword.arg}={structure(keyword.value)}" for keyword in keywords)
            return f"(call {' '.join([name, *map(structure, args), *named])})"
        case _:
            raise OutsideSubset


def main():
    rng = random.Random(SEED)
    warnings.simplefilter("ignore")
    cases = {}
    while len(cases) < TREES + ROWS:
        text = (tree(rng, rng.choice([2, 3, 3, 4])) if len(cases) < TREES else row(rng)).strip()
        if len(text) > 110:
            continue
        try:
            cases[text] = structure(ast.parse(text, mode="eval").body)
        except SyntaxError:
            cases[text] = "error"
        except OutsideSubset:
            continue
    path = pathlib.Path(__file__).parent.parent / "tests" / "data" / "grammar.txt"
    path.write_text("".join(f"{text}\t{answer}\n" for text, answer in cases.items()), encoding="utf-8")
    print(len(cases), "cases,", sum(answer == "error" for answer in cases.values()), "errors,", path.stat().st_size, "bytes")


main()
