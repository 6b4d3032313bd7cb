//! Choices to the text of a program: expressions, statements, functions, kernels over axes, what reads beside an element.

use numlift::DType;

use super::choices::Choices;

/// What dtypes a value may have; those of one class meet without an error, mostly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Class {
    Bool,
    Int,
    Float,
}

impl Class {
    pub(crate) fn dtypes(self) -> &'static [DType] {
        match self {
            Class::Bool => &[DType::Bool],
            Class::Int => &[
                DType::I32,
                DType::I64,
                DType::U8,
                DType::I8,
                DType::I16,
                DType::U16,
                DType::U32,
                DType::I64,
                DType::I32,
                DType::U64,
            ],
            Class::Float => &[DType::F64, DType::F32],
        }
    }
}

/// The extents that a parameter has of the program's domain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Extent {
    /// All of them, in one piece with the outputs.
    Whole,
    /// All, or one element along some.
    Some,
    /// Any, of so many axes: elements are taken from it.
    Table(usize),
    /// One value.
    One,
    /// The number 0, of i64.
    Zero,
}

#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) class: Class,
    /// Declared, or chosen as it is given.
    pub(crate) dtype: Option<DType>,
    pub(crate) extent: Extent,
}

/// A program and what it takes.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) text: String,
    /// The same with elements read at computed places where the other reads neighbours.
    pub(crate) gathering: Option<String>,
    pub(crate) parameters: Vec<Parameter>,
    /// Axes of the domain.
    pub(crate) rank: usize,
}

/// The functions of Rust that engines have here: their names, what they take, and the class that they give.
pub(crate) const HOSTS: [(&str, &[DType], Class); 3] = [
    ("cubed", &[DType::F64], Class::Float),
    ("mixed", &[DType::F64, DType::I32, DType::Bool], Class::Float),
    ("pick", &[DType::U8, DType::F32], Class::Int),
];

const AXES: [&str; 3] = ["i", "j", "k"];

/// Stands in a text where a neighbour becomes a computed place if 0 is added.
const MARK: char = '@';

/// What the text at some place may name and call.
struct Writer<'a> {
    choices: &'a mut Choices,
    rank: usize,
    /// Readable there.
    variables: Vec<(String, Class)>,
    /// Arrays of which elements are taken, with their axes.
    tables: Vec<(&'static str, Class, usize)>,
    /// Arrays of which neighbours are read, and whether elements beyond their edges may be.
    near: Vec<(&'static str, Class, bool)>,
    /// Functions of the text: of a float and an integer, giving a float.
    functions: Vec<&'static str>,
    /// Whether the functions of Rust may be called, and elements be taken together.
    is_at_root: bool,
    reduces: bool,
    /// Whether arrays may be moved.
    shifts: bool,
    /// Operations that may still be written, and those among them that come to hundreds; so that programs stay small.
    left: usize,
    long_left: usize,
    loops: usize,
}

impl Program {
    pub(crate) fn new(choices: &mut Choices) -> Program {
        let rank = [1, 1, 1, 2, 2, 3, 0][choices.below(7)];
        match choices.below(8) {
            0..3 => Program::formula(choices, rank),
            3..6 => Program::statements(choices, rank),
            _ => Program::kernel(choices, rank.max(1)),
        }
    }

    /// Parameters of each class, arrays to take from among them.
    fn open_parameters(choices: &mut Choices) -> Vec<Parameter> {
        let named =
            [("x", Class::Float), ("y", Class::Float), ("n", Class::Int), ("m", Class::Int), ("c", Class::Bool)];
        let mut parameters: Vec<Parameter> = named
            .into_iter()
            .map(|(name, class)| {
                let extent = choices.of(&[Extent::Whole, Extent::Some, Extent::Whole, Extent::One]);
                Parameter { name, class, dtype: None, extent }
            })
            .collect();
        let rank = 1 + choices.below(2);
        let class = choices.of(&[Class::Float, Class::Int, Class::Bool]);
        parameters.push(Parameter { name: "t", class, dtype: None, extent: Extent::Table(rank) });
        parameters
    }

    fn formula(choices: &mut Choices, rank: usize) -> Program {
        let parameters = Program::open_parameters(choices);
        let mut writer = Writer::new(choices, rank, &parameters);
        writer.reduces = writer.choices.one_in(4);
        writer.shifts = !writer.reduces && writer.choices.one_in(3);
        let values: Vec<String> = (0..1 + writer.choices.below(3)).map(|_| writer.any(3)).collect();
        Program { text: values.join(", "), gathering: None, parameters, rank }
    }

    fn statements(choices: &mut Choices, rank: usize) -> Program {
        let parameters = Program::open_parameters(choices);
        let mut writer = Writer::new(choices, rank, &parameters);
        let mut text = String::new();
        for name in ["f", "g"] {
            if writer.choices.below(2) == 1 {
                text += &writer.function(name);
                writer.functions.push(name);
            }
        }
        writer.reduces = writer.choices.one_in(6);
        text += &format!("a, b = {}, {}\n", writer.float(2), writer.int(2));
        let roots = std::mem::replace(&mut writer.reduces, false);
        writer.variables.extend([("a".to_owned(), Class::Float), ("b".to_owned(), Class::Int)]);
        text += &writer.block(2, &Inside::default());
        writer.reduces = roots;
        text += match writer.choices.below(3) {
            0 => "a, b".to_owned(),
            1 => format!("a, b, {}", writer.any(2)),
            _ => format!("v = {}", writer.any(2)),
        }
        .as_str();
        Program { text, gathering: None, parameters, rank }
    }

    /// `u` and `w` have neighbours, `t` is read at computed places alone.
    fn kernel(choices: &mut Choices, rank: usize) -> Program {
        let mut parameters = Vec::new();
        let mut declared = Vec::new();
        let (mut near, mut tables) = (Vec::new(), Vec::new());
        for name in ["u", "w"].into_iter().take(1 + choices.below(2)) {
            let class = choices.of(&[Class::Float, Class::Float, Class::Int, Class::Bool]);
            let dtype = choices.of(class.dtypes());
            let modes = ["edge", "wrap", "reflect", "symmetric", "constant, 3", "constant, 1", "interior"];
            let mode = choices.of(&modes);
            declared.push(format!("{name}: {dtype}[{rank}] boundary({mode})"));
            parameters.push(Parameter { name, class, dtype: Some(dtype), extent: Extent::Whole });
            near.push((name, class, mode != "interior"));
        }
        if choices.below(3) > 0 {
            let (table_rank, dtype) = (1 + choices.below(2), choices.of(Class::Float.dtypes()));
            let mode = choices.of(&["edge", "wrap", "reflect", "symmetric", "constant, -1"]);
            declared.push(format!("t: {dtype}[{table_rank}] boundary({mode})"));
            let extent = Extent::Table(table_rank);
            parameters.push(Parameter { name: "t", class: Class::Float, dtype: Some(dtype), extent });
            tables.push(("t", Class::Float, table_rank));
        }
        for (name, class) in [("x", Class::Float), ("n", Class::Int)] {
            let (dtype, extent) = (choices.of(class.dtypes()), choices.of(&[Extent::Whole, Extent::Some, Extent::One]));
            let uniform = if extent == Extent::One { "uniform " } else { "" };
            declared.push(format!("{name}: {uniform}{dtype}"));
            parameters.push(Parameter { name, class, dtype: Some(dtype), extent });
        }
        declared.push("zero: uniform i64".to_owned());
        parameters.push(Parameter { name: "zero", class: Class::Int, dtype: Some(DType::I64), extent: Extent::Zero });
        let axes = AXES[..rank].join(", ");
        let is_interior = !near[0].2;
        let mut writer = Writer::new(choices, rank, &[]);
        writer.variables = vec![("x".to_owned(), Class::Float), ("n".to_owned(), Class::Int)];
        let has_rank = |(_, class, goes_beyond): &(&'static str, Class, bool)| goes_beyond.then_some((*class, rank));
        tables.extend(near.iter().filter_map(|near| has_rank(near).map(|(class, rank)| (near.0, class, rank))));
        (writer.near, writer.tables) = (near, tables);
        let mut text = String::new();
        if writer.choices.one_in(3) {
            text += &writer.function("f");
            writer.functions.push("f");
        }
        writer.variables.extend(AXES[..rank].iter().map(|axis| (axis.to_string(), Class::Int)));
        text += &format!("kernel step({}) -> (a, b) over ({axes}) {{\n", declared.join(", "));
        text += &format!("a, b = {}, {}\n", writer.float(3), writer.int(2));
        writer.variables.extend([("a".to_owned(), Class::Float), ("b".to_owned(), Class::Int)]);
        if writer.choices.below(2) == 1 {
            text += &writer.block(2, &Inside { a_kernel: true, ..Inside::default() });
        }
        // What reads nothing where it stands goes over its output; here `u` says how far.
        let end = |read: &str| format!("if zero != 0 {{ a, b = bool({read}), bool({read}) }}\n}}");
        let gathering = text.replace(MARK, " + zero") + &end("u");
        let beside =
            format!("u[{}]", AXES[..rank].iter().map(|axis| format!("{axis} - 1")).collect::<Vec<_>>().join(", "));
        let text = text.replace(MARK, "") + &end(if is_interior { "u" } else { &beside });
        Program { text, gathering: Some(gathering), parameters, rank }
    }
}

/// What a statement may leave.
#[derive(Clone, Copy, Default)]
struct Inside {
    a_loop: bool,
    a_kernel: bool,
    a_function: bool,
}

/// Functions of one float that are a few operations, and those that come to many.
const SHORT: [&str; 14] = [
    "abs",
    "sqrt",
    "floor",
    "ceil",
    "trunc",
    "round",
    "frac",
    "sign",
    "reciprocal",
    "square",
    "relu",
    "deg2rad",
    "roundaway",
    "nan_to_num",
];
const LONG: [&str; 32] = [
    "exp", "log", "sin", "cos", "tanh", "sigmoid", "exp2", "exp10", "expm1", "log2", "log10", "log1p", "tan", "atan",
    "asin", "acos", "sinpi", "cospi", "sinc", "sinh", "cosh", "asinh", "acosh", "atanh", "cbrt", "rsqrt", "softplus",
    "erf", "erfc", "erfinv", "gamma", "lgamma",
];
const OF_TWO: [&str; 8] = ["minimum", "maximum", "fmin", "fmax", "copysign", "fdim", "step", "nextafter"];
const LONG_OF_TWO: [&str; 9] =
    ["power", "atan2", "hypot", "logaddexp", "xlogy", "ieee_remainder", "fmod", "remainder", "floor_divide"];
const CASTS: [&str; 8] = ["i32", "i64", "u8", "i16", "u32", "i8", "u16", "u64"];

impl<'a> Writer<'a> {
    fn new(choices: &'a mut Choices, rank: usize, parameters: &[Parameter]) -> Writer<'a> {
        let (left, long_left) = match choices.one_in(25) {
            true => (40, 4),
            false => choices.of(&[(4, 0), (4, 1), (6, 0), (6, 1), (9, 0), (9, 1), (9, 2), (14, 1)]),
        };
        let mut writer = Writer {
            choices,
            rank,
            variables: Vec::new(),
            tables: Vec::new(),
            near: Vec::new(),
            functions: Vec::new(),
            is_at_root: true,
            reduces: false,
            shifts: false,
            left,
            long_left,
            loops: 0,
        };
        for parameter in parameters {
            match parameter.extent {
                Extent::Table(rank) => writer.tables.push((parameter.name, parameter.class, rank)),
                Extent::Whole | Extent::Some | Extent::One | Extent::Zero => {
                    writer.variables.push((parameter.name.to_owned(), parameter.class));
                }
            }
        }
        writer
    }

    // -- expressions --

    fn of(&mut self, class: Class, depth: usize) -> String {
        match class {
            Class::Bool => self.bool(depth),
            Class::Int => self.int(depth),
            Class::Float => self.float(depth),
        }
    }

    fn any(&mut self, depth: usize) -> String {
        let class = self.choices.of(&[Class::Float, Class::Int, Class::Float, Class::Bool]);
        self.of(class, depth)
    }

    fn number(&mut self, depth: usize) -> String {
        let class = self.choices.of(&[Class::Float, Class::Int]);
        self.of(class, depth)
    }

    /// Whether an expression goes on, and the depth that is left for its operands.
    fn deeper(&mut self, depth: usize) -> Option<usize> {
        if depth == 0 || self.left == 0 {
            return None;
        }
        self.left -= 1;
        (self.choices.below(8) > 0).then_some(depth - 1)
    }

    /// Whether an operation may come to hundreds.
    fn is_long(&mut self) -> bool {
        let may = self.long_left > 0 && self.choices.below(2) == 1;
        self.long_left -= usize::from(may);
        may
    }

    fn variable(&mut self, class: Class) -> Option<String> {
        let known: Vec<usize> = (0..self.variables.len()).filter(|k| self.variables[*k].1 == class).collect();
        let chosen = known.get(self.choices.below(known.len().max(1)))?;
        Some(self.variables[*chosen].0.clone())
    }

    /// What reads an array of the class beside the element or somewhere.
    fn element(&mut self, class: Class, depth: usize) -> Option<String> {
        let near: Vec<(&str, bool)> =
            self.near.iter().filter(|near| near.1 == class).map(|near| (near.0, near.2)).collect();
        if !near.is_empty() && self.choices.below(4) > 0 {
            let (name, goes_beyond) = near[self.choices.below(near.len())];
            let offset = |writer: &mut Self, axis: usize| {
                let far = [0, 1, -1, 2, -2, 0, 1, -1, 5, -7][writer.choices.below(10)];
                let sign = if far < 0 { '-' } else { '+' };
                let moved = if far == 0 { String::new() } else { format!(" {sign} {}", i32::abs(far)) };
                format!("{}{moved}{}", AXES[axis], if goes_beyond { "@" } else { "" })
            };
            let indices: Vec<String> = (0..self.rank).map(|axis| offset(self, axis)).collect();
            return Some(format!("{name}[{}]", indices.join(", ")));
        }
        let tables: Vec<(&str, usize)> =
            self.tables.iter().filter(|table| table.1 == class).map(|table| (table.0, table.2)).collect();
        if tables.is_empty() {
            return None;
        }
        let (name, rank) = tables[self.choices.below(tables.len())];
        if !self.near.is_empty() {
            // Of the axes alone it would be the element itself.
            let indices: Vec<String> = (0..rank).map(|_| format!("i64({})", self.int(depth.min(1)))).collect();
            return Some(format!("{name}[{}]", indices.join(", ")));
        }
        let mode =
            self.choices.of(&["", ", mode=\"clip\"", ", mode=\"wrap\"", ", mode=\"fill\"", ", mode=\"fill\", fill=1"]);
        Some(format!("take({name}, {}{mode})", self.int(depth.min(2))))
    }

    /// What stands where all elements go: calls of Rust, what takes all elements together, arrays that are moved.
    fn root(&mut self, class: Class, depth: usize) -> Option<String> {
        if !self.is_at_root {
            return None;
        }
        if self.reduces && self.choices.below(3) > 0 {
            return self.reduction(class, depth);
        }
        if self.shifts && class != Class::Bool && self.choices.below(3) > 0 {
            let name = self.variable(class).filter(|name| matches!(&name[..], "x" | "n"))?;
            let distances: Vec<&str> =
                (0..self.rank.max(1)).map(|_| self.choices.of(&["0", "1", "-1", "2", "-3", "9"])).collect();
            let modes =
                ["", ", mode=\"wrap\"", ", mode=\"edge\"", ", mode=\"reflect\"", ", mode=\"symmetric\"", ", fill=3"];
            return Some(format!("shift({name}, {}{})", distances.join(", "), self.choices.of(&modes)));
        }
        if !self.choices.one_in(4) {
            return None;
        }
        let (name, dtypes, _) =
            *HOSTS.iter().find(|host| host.2 == class && (self.choices.below(2) == 1 || host.0 != "cubed"))?;
        let args: Vec<String> = dtypes.iter().map(|dtype| format!("{dtype}({})", self.any(depth))).collect();
        Some(format!("{name}({})", args.join(", ")))
    }

    fn reduction(&mut self, class: Class, depth: usize) -> Option<String> {
        let names: &[&str] = match class {
            Class::Float => {
                &["mean", "sum", "max", "min", "prod", "std", "nansum", "norm", "cumsum", "cummax", "logsumexp"]
            }
            Class::Int => &["sum", "count_nonzero", "argmax", "max", "min", "cumsum", "argmin", "prod", "ptp"],
            Class::Bool => &["any", "all"],
        };
        let (name, operand) = (self.choices.of(names), self.of(class, depth));
        let is_scan = name.starts_with("cum");
        let axis = self.choices.of(&["", ", axis=-1", ", axis=0"]);
        let keeps = if axis.is_empty() || is_scan { "" } else { ", keepdims=True" };
        Some(format!("{name}({operand}{axis}{keeps})"))
    }

    fn float(&mut self, depth: usize) -> String {
        let Some(depth) = self.deeper(depth) else { return self.float_leaf() };
        match self.choices.below(20) {
            0 => self.float_leaf(),
            1..6 => {
                let operator = match self.is_long() {
                    true => self.choices.of(&["//", "%"]),
                    false => self.choices.of(&["+", "-", "*", "/"]),
                };
                let (a, b) = match self.choices.below(3) {
                    0 => (self.float(depth), self.float(depth)),
                    1 => (self.float(depth), self.any(depth)),
                    _ => (self.number(depth), self.float(depth)),
                };
                format!("({a} {operator} {b})")
            }
            6 => format!("({} / {})", self.int(depth), self.int(depth)),
            7 => format!("(-{})", self.float(depth)),
            8..11 if self.is_long() => match self.choices.below(4) {
                0 => format!("{}({}, {})", self.choices.of(&LONG_OF_TWO), self.float(depth), self.number(depth)),
                _ => format!("{}({})", self.choices.of(&LONG), self.float(depth)),
            },
            8..11 => format!("{}({})", self.choices.of(&SHORT), self.float(depth)),
            11 => format!("({}**{})", self.float(depth), self.choices.of(&["2", "3", "0.5", "-1", "7"])),
            12 => format!("{}({}, {})", self.choices.of(&OF_TWO), self.float(depth), self.number(depth)),
            13 => {
                let name = self.choices.of(&["fma", "clip", "lerp", "smoothstep"]);
                format!("{name}({}, {}, {})", self.float(depth), self.float(depth), self.float(depth))
            }
            14 => format!("({} if {} else {})", self.float(depth), self.any(depth), self.number(depth)),
            15 => format!("where({}, {}, {})", self.bool(depth), self.float(depth), self.float(depth)),
            16 => format!("{}({})", self.choices.of(&["f32", "f64"]), self.any(depth)),
            17 if !self.functions.is_empty() => {
                let name = self.choices.of(&self.functions.clone());
                format!("{name}({}, {})", self.float(depth), self.int(depth))
            }
            18 => self.element(Class::Float, depth).unwrap_or_else(|| self.float_leaf()),
            _ => self.root(Class::Float, depth).unwrap_or_else(|| self.float_leaf()),
        }
    }

    fn float_leaf(&mut self) -> String {
        match self.choices.below(8) {
            6 => self.choices.of(&["0.5", "2.0", "1e300", "pi", "1.5f32", "0.1", "-3.0", "inf", "nan"]).to_owned(),
            7 if !self.near.is_empty() => self.element(Class::Float, 0).unwrap_or_else(|| "1.25".to_owned()),
            _ => self.variable(Class::Float).unwrap_or_else(|| "2.5".to_owned()),
        }
    }

    fn int(&mut self, depth: usize) -> String {
        let Some(depth) = self.deeper(depth) else { return self.int_leaf() };
        match self.choices.below(16) {
            0 => self.int_leaf(),
            1..5 => {
                let operator = match self.is_long() {
                    true => self.choices.of(&["//", "%"]),
                    false => self.choices.of(&["+", "-", "*"]),
                };
                format!("({} {operator} {})", self.int(depth), self.int(depth))
            }
            5..7 => {
                // One dtype: `u64` with a signed one is f64.
                let (cast, operator) = (self.choices.of(&CASTS), self.choices.of(&["&", "|", "^", "<<", ">>"]));
                let right = match operator {
                    "<<" | ">>" if self.choices.below(2) == 0 => self.choices.of(&["1", "3", "7", "0"]).to_owned(),
                    _ => format!("{cast}({})", self.int(depth)),
                };
                format!("({cast}({}) {operator} {right})", self.int(depth))
            }
            7 => format!("{}({})", self.choices.of(&["-", "~", "+"]), self.int(depth)),
            8 => format!("{}({})", self.choices.of(&CASTS), self.any(depth)),
            9 => format!(
                "{}({})",
                self.choices.of(&["abs", "popcount", "clz", "ctz", "sign", "square"]),
                self.int(depth)
            ),
            10 => {
                let name =
                    self.choices.of(&["minimum", "maximum", "rotl", "rotr", "remainder", "floor_divide", "fmod"]);
                let cast = self.choices.of(&CASTS);
                format!("{name}({cast}({}), {cast}({}))", self.int(depth), self.int(depth))
            }
            11 => format!("({} if {} else {})", self.int(depth), self.any(depth), self.int(depth)),
            12 => format!("({}**{})", self.int(depth), self.choices.of(&["2", "3", "0", "5"])),
            13 => self.element(Class::Int, depth).unwrap_or_else(|| self.int_leaf()),
            14 => match self.choices.below(3) {
                0 if self.rank > 0 && self.near.is_empty() => format!("index({})", self.choices.below(self.rank)),
                0 | 1 => format!("where({}, {}, {})", self.bool(depth), self.int(depth), self.int(depth)),
                _ => format!("({} % {})", self.int(depth), self.choices.of(&["3", "5", "4"])),
            },
            _ => self.root(Class::Int, depth).unwrap_or_else(|| self.int_leaf()),
        }
    }

    fn int_leaf(&mut self) -> String {
        match self.choices.below(8) {
            6 => self.choices.of(&["1", "0", "2", "3", "7", "-1", "3u8", "-5i16", "100"]).to_owned(),
            7 if !self.near.is_empty() => self.element(Class::Int, 0).unwrap_or_else(|| "4".to_owned()),
            _ => self.variable(Class::Int).unwrap_or_else(|| "5".to_owned()),
        }
    }

    fn bool(&mut self, depth: usize) -> String {
        let Some(depth) = self.deeper(depth) else { return self.bool_leaf() };
        let compare = ["<", "<=", "==", "!=", ">", ">="];
        match self.choices.below(12) {
            0 => self.bool_leaf(),
            1..5 => {
                let operator = self.choices.of(&compare);
                format!("({} {operator} {})", self.number(depth), self.number(depth))
            }
            5 => {
                let (first, second) = (self.choices.of(&compare), self.choices.of(&compare));
                format!("({} {first} {} {second} {})", self.number(depth), self.number(depth), self.number(depth))
            }
            6 => format!("({} {} {})", self.any(depth), self.choices.of(&["and", "or"]), self.any(depth)),
            7 => format!("(not {})", self.any(depth)),
            8 => {
                let operator = self.choices.of(&["&", "|", "^", "==", "<"]);
                format!("({} {operator} {})", self.bool(depth), self.bool(depth))
            }
            9 => format!("{}({})", self.choices.of(&["isnan", "isfinite", "signbit", "isnormal"]), self.float(depth)),
            10 => self.element(Class::Bool, depth).unwrap_or_else(|| self.bool_leaf()),
            _ => self.root(Class::Bool, depth).unwrap_or_else(|| format!("bool({})", self.any(depth))),
        }
    }

    fn bool_leaf(&mut self) -> String {
        match self.choices.below(4) {
            0 | 1 => self.variable(Class::Bool).unwrap_or_else(|| "True".to_owned()),
            2 => format!("({} > {})", self.number(0), self.number(0)),
            _ => self.choices.of(&["True", "False"]).to_owned(),
        }
    }

    // -- statements --

    /// A function of a float and an integer that gives a float; one of one line, or one that returns here and there.
    fn function(&mut self, name: &str) -> String {
        let names = [("p".to_owned(), Class::Float), ("q".to_owned(), Class::Int)];
        let outer = std::mem::replace(&mut self.variables, names.into());
        let (tables, near) = (std::mem::take(&mut self.tables), std::mem::take(&mut self.near));
        let was_root = std::mem::replace(&mut self.is_at_root, false);
        let text = if self.choices.below(2) == 0 {
            format!("fn {name}(p, q) = {}\n", self.float(2))
        } else {
            let names = [("a".to_owned(), Class::Float), ("b".to_owned(), Class::Int)];
            self.variables.extend(names);
            let body = self.block(1, &Inside { a_function: true, ..Inside::default() });
            let result = self.float(1);
            format!("fn {name}(p, q) {{\na, b = p, q\n{body}return {result}\n}}\n")
        };
        (self.variables, self.tables, self.near, self.is_at_root) = (outer, tables, near, was_root);
        text
    }

    /// One to three statements, each on lines of its own.
    fn block(&mut self, depth: usize, inside: &Inside) -> String {
        let more = if self.left > 0 { self.choices.below(3) } else { 0 };
        (0..=more).map(|_| self.statement(depth, inside) + "\n").collect()
    }

    /// A block in which not all elements are.
    fn inner(&mut self, depth: usize, inside: &Inside) -> String {
        let was_root = std::mem::replace(&mut self.is_at_root, false);
        let text = self.block(depth, inside);
        self.is_at_root = was_root;
        text
    }

    fn condition(&mut self) -> String {
        let was_root = std::mem::replace(&mut self.is_at_root, false);
        let text = if self.choices.below(3) > 0 { self.bool(2) } else { self.any(1) };
        self.is_at_root = was_root;
        text
    }

    fn statement(&mut self, depth: usize, inside: &Inside) -> String {
        match self.choices.below(if depth == 0 || self.left == 0 { 9 } else { 16 }) {
            0..2 => format!("a = {}", self.float(2)),
            2 => format!("b = {}", self.int(2)),
            3 => format!("a {}= {}", self.choices.of(&["+", "-", "*", "/"]), self.number(1)),
            4 => format!("b {}= {}", self.choices.of(&["+", "-", "*"]), self.int(1)),
            5 => format!("a, b = {}, {}", self.float(1), self.int(1)),
            6..9 => {
                let leave = match self.choices.below(3) {
                    0 if inside.a_loop => "break".to_owned(),
                    1 if inside.a_loop => "continue".to_owned(),
                    2 if inside.a_kernel => "return".to_owned(),
                    2 if inside.a_function => format!("return {}", self.float(1)),
                    _ => format!("b = {}", self.int(1)),
                };
                format!("if {} {{ {leave} }}", self.condition())
            }
            9..12 => {
                let first = format!("if {} {{\n{}}}", self.condition(), self.inner(depth - 1, inside));
                match self.choices.below(3) {
                    0 => first,
                    1 => format!("{first} else {{\n{}}}", self.inner(depth - 1, inside)),
                    _ => {
                        let (condition, second) = (self.condition(), self.inner(depth - 1, inside));
                        format!("{first} elif {condition} {{\n{second}}} else {{\n{}}}", self.inner(depth - 1, inside))
                    }
                }
            }
            12..14 => {
                let counter = self.counter();
                let bounds = match self.choices.below(4) {
                    0 => "0..3".to_owned(),
                    1 => format!("0..({} % 4)", self.int_leaf()),
                    2 => format!("({} % 3)..4", self.int_leaf()),
                    _ => format!("0..{}", self.choices.of(&["0", "1", "2", "5"])),
                };
                self.variables.push((counter.clone(), Class::Int));
                let body = self.inner(depth - 1, &Inside { a_loop: true, ..*inside });
                self.variables.pop();
                format!("for {counter} in {bounds} {{\n{body}}}")
            }
            _ => {
                let counter = self.counter();
                let condition = self.condition();
                let body = self.inner(depth - 1, &Inside { a_loop: true, ..*inside });
                format!("{counter} = 0\nwhile {counter} < 4 and {condition} {{\n{counter} += 1\n{body}}}")
            }
        }
    }

    fn counter(&mut self) -> String {
        self.loops += 1;
        format!("s{}", self.loops)
    }
}
