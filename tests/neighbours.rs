//! Neighbours of large arrays that lie in all ways, beside rows, columns, single values and calls of Rust, against plain loops.

mod support;

use numlift::{Args, Builder, Engine, View, ViewMut};

/// An engine of every backend, cut in several ways, with a function of Rust.
fn engines() -> Vec<(String, Engine)> {
    let with_cube = |builder: Builder| {
        builder.function::<(f64,), f64>("cubed", |(x,), results| {
            x.iter().zip(results).for_each(|(x, result)| *result = x * x * x);
        })
    };
    let mut engines = Vec::new();
    for (name, backend) in support::backends() {
        for (threads, chunk) in [(1, 32 * 1024), (3, 1000), (2, 257)] {
            let builder = with_cube(Engine::builder().backend(backend).threads(threads).chunk_len(chunk));
            engines
                .push((format!("{name}, {threads} threads, chunks of {chunk}"), builder.build().expect("an engine")));
        }
    }
    engines
}

/// Where an index beyond the edges leads, if anywhere.
type Place = fn(isize, isize) -> Option<isize>;

const MODES: [(&str, Place); 6] = [
    ("edge", |at, n| Some(at.clamp(0, n - 1))),
    ("wrap", |at, n| Some(at.rem_euclid(n))),
    ("reflect", |at, n| {
        let at = at.rem_euclid((2 * n - 2).max(1));
        Some(at.min(2 * n - 2 - at))
    }),
    ("symmetric", |at, n| {
        let at = at.rem_euclid(2 * n);
        Some(at.min(2 * n - 1 - at))
    }),
    ("constant, 7", |at, n| (0..n).contains(&at).then_some(at)),
    ("interior", |at, n| (0..n).contains(&at).then_some(at)),
];

/// Extents: rows of less than a group, of some groups, long ones; few and many of them.
const SHAPES: [[usize; 2]; 8] = [[3, 5], [130, 130], [5, 70], [70, 5], [40, 700], [3, 6007], [600, 33], [257, 256]];

/// What a kernel reads beside neighbours of arrays.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Beside {
    /// Arrays that have an element for each element of a line.
    Lines,
    /// Also an index, and an array that has one element for a line.
    Indices,
    /// These, and what a function of Rust makes of a neighbour.
    Calls,
}

struct Arrays {
    shape: [usize; 2],
    u: Vec<f64>,
    row: Vec<f64>,
    column: Vec<f64>,
    w: Vec<f32>,
}

impl Arrays {
    fn new(shape: [usize; 2]) -> Arrays {
        let of = |len: usize, step: usize| (0..len).map(|k| (k * step % 101) as f64 / 4.0 - 9.0).collect::<Vec<f64>>();
        let [rows, columns] = shape;
        let w = of(rows * columns, 29).into_iter().map(|x| x as f32).collect();
        Arrays { shape, u: of(rows * columns, 37), row: of(columns, 17), column: of(rows, 13), w }
    }

    /// What the kernels below compute: of each place the sum and the product, 0 where a neighbour is missing inside.
    fn expected(&self, place: Place, mode: &str, beside: Beside) -> (Vec<f64>, Vec<i32>) {
        let [rows, columns] = self.shape.map(|extent| extent as isize);
        let at = |i: isize, j: isize| match (place(i, rows), place(j, columns)) {
            (Some(i), Some(j)) => Some(self.u[(i * columns + j) as usize]),
            _ if mode == "interior" => None,
            _ => Some(7.0),
        };
        let one = |i: isize, j: isize| {
            let [up, left, far] = [at(i - 1, j)?, at(i, j - 2)?, at(i + 2, j + 1)?];
            let (column, index) = match beside {
                Beside::Lines => (3.0, 1),
                Beside::Indices | Beside::Calls => (self.column[i as usize], j as i32),
            };
            let up = if beside == Beside::Calls { up * up * up } else { up };
            let w = self.w[(i * columns + j) as usize];
            let sum = up * self.row[j as usize] + column * left + 0.5 * f64::from(w);
            Some((sum, far as i32 + index))
        };
        let each = (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j)));
        each.map(|(i, j)| one(i, j).unwrap_or((0.0, 0))).unzip()
    }
}

/// Memory of an output, and how the view of it is turned back to C order.
#[derive(Clone, Copy, Debug)]
enum Lies {
    InRows,
    InColumns,
    Reversed,
    EverySecond,
    Aside,
}

const ALL: [Lies; 5] = [Lies::InRows, Lies::InColumns, Lies::Reversed, Lies::EverySecond, Lies::Aside];

impl Lies {
    fn view<T: numlift::Element>(self, memory: &mut [T], [rows, columns]: [usize; 2]) -> ViewMut<'_>
    where
        for<'a> ViewMut<'a>: From<&'a mut [T]>,
    {
        match self {
            Lies::InRows => ViewMut::new(&mut memory[..rows * columns]).shape([rows, columns]),
            Lies::InColumns => ViewMut::new(&mut memory[..rows * columns]).shape([columns, rows]).transpose(),
            Lies::Reversed => {
                ViewMut::new(&mut memory[..rows * columns]).shape([rows, columns]).step(0, -1).step(1, -1)
            }
            Lies::EverySecond => ViewMut::new(&mut memory[..2 * rows * columns]).shape([rows, 2 * columns]).step(1, 2),
            Lies::Aside => ViewMut::new(&mut memory[1..=rows * columns]).shape([rows, columns]),
        }
    }
}

#[test]
fn neighbours_among_arrays_that_lie_in_all_ways() {
    let engines = engines();
    for shape in SHAPES {
        let arrays = Arrays::new(shape);
        let [rows, columns] = shape;
        // The same array with its columns one after the other.
        let turned: Vec<f64> = (0..rows * columns).map(|k| arrays.u[k % rows * columns + k / rows]).collect();
        for (k, (mode, place)) in MODES.into_iter().enumerate() {
            for beside in [Beside::Lines, Beside::Indices, Beside::Calls] {
                let (call, column, index) = match beside {
                    Beside::Lines => ("u[i - 1, j]", "3", "1"),
                    Beside::Indices => ("u[i - 1, j]", "column", "i32(j)"),
                    Beside::Calls => ("cubed(u[i - 1, j])", "column", "i32(j)"),
                };
                let text = format!(
                    "kernel k(u: f64[2] boundary({mode}), row: f64[1], column: f64[2], w: f32[2], scale: uniform f64) -> (v, n) \
                     over (i, j) {{\nv = {call} * row + {column} * u[i, j - 2] + scale * w\nn = i32(u[i + 2, j + 1]) + {index}\n}}"
                );
                let (sums, counts) = arrays.expected(place, mode, beside);
                for (which, (name, engine)) in engines.iter().enumerate() {
                    let kernel = engine.compile(&text).expect("a kernel");
                    let (lies, is_turned) = (ALL[(k + which) % ALL.len()], (k + which) % 2 == 1);
                    let u = match is_turned {
                        true => View::new(&turned).shape([columns, rows]).transpose(),
                        false => View::new(&arrays.u).shape(shape),
                    };
                    let (mut v, mut n) = (vec![0.0_f64; 2 * rows * columns + 1], vec![0_i32; 2 * rows * columns + 1]);
                    let args = Args::new()
                        .input("u", u)
                        .input("row", &arrays.row)
                        .input("w", View::new(&arrays.w).shape(shape));
                    let args = args.input("column", View::new(&arrays.column).shape([rows, 1])).input("scale", &0.5);
                    let args =
                        args.output_named("v", lies.view(&mut v, shape)).output_named("n", lies.view(&mut n, shape));
                    kernel.run(args).unwrap_or_else(|error| panic!("{}", error.render()));
                    let (found, found_counts) = (
                        lies.view(&mut v, shape).as_view().to_vec::<f64>().expect("floats"),
                        lies.view(&mut n, shape).as_view().to_vec::<i32>().expect("integers"),
                    );
                    assert_eq!(found, sums, "{name}, {shape:?}, {mode}, {beside:?}, {lies:?}");
                    assert_eq!(found_counts, counts, "{name}, {shape:?}, {mode}, {beside:?}, {lies:?}");
                    let written = |memory: &[f64]| memory.iter().filter(|x| **x != 0.0).count();
                    assert_eq!(
                        written(&v),
                        written(&sums),
                        "{name}, {shape:?}, {mode}, {beside:?}, {lies:?}: beside its elements"
                    );
                }
            }
        }
    }
}

/// Lines of every length about groups and rims, of the narrowest dtype, in arrays of three axes.
#[test]
fn lines_of_every_length() {
    let text = |mode: &str| {
        format!(
            "kernel k(u: u8[3] boundary({mode})) -> (v) over (h, i, j) {{ \
             v = u[h - 1, i, j - 3] + 2*u[h, i + 1, j + 2] - u[h + 1, i - 2, j] ^ u }}"
        )
    };
    let [deep, rows] = [2, 3];
    for (name, backend) in support::backends() {
        let engine = Engine::builder().backend(backend).threads(1).build().expect("an engine");
        for (mode, place) in MODES {
            let kernel = engine.compile(&text(mode)).expect("a kernel");
            for columns in (1..=70).chain([127, 128, 129, 159, 160, 161, 200, 263]) {
                let u: Vec<u8> = (0..deep * rows * columns).map(|k| (k * 37 % 251) as u8).collect();
                let mut v = vec![0_u8; u.len()];
                let shape = [deep, rows, columns];
                let args = Args::new().input("u", View::new(&u).shape(shape));
                kernel.run(args.output(ViewMut::new(&mut v).shape(shape))).expect("it runs");
                let [d, r, c] = shape.map(|extent| extent as isize);
                let at = |h: isize, i: isize, j: isize| match (place(h, d), place(i, r), place(j, c)) {
                    (Some(h), Some(i), Some(j)) => Some(u[((h * r + i) * c + j) as usize]),
                    _ if mode == "interior" => None,
                    _ => Some(7),
                };
                let one = |k: isize| {
                    let (h, i, j) = (k / (r * c), k / c % r, k % c);
                    let [a, b, e] = [at(h - 1, i, j - 3)?, at(h, i + 1, j + 2)?, at(h + 1, i - 2, j)?];
                    Some(a.wrapping_add(b.wrapping_mul(2)).wrapping_sub(e) ^ at(h, i, j)?)
                };
                let expected: Vec<u8> = (0..v.len() as isize).map(|k| one(k).unwrap_or(0)).collect();
                assert_eq!(v, expected, "{name}, {mode}, {columns} columns");
            }
        }
    }
}

/// Lines that are written past the caches, at the start of a cache line and elsewhere.
#[test]
fn more_than_caches_hold() {
    const TEXT: &str = "kernel k(u: f64[2] boundary(wrap)) -> (v) over (i, j) { v = u[i - 1, j + 1] - u[i, j - 2] }";
    for (rows, columns) in [(2100, 2048), (2100, 2047)] {
        let u: Vec<f64> = (0..rows * columns).map(|k| (k * 37 % 1009) as f64).collect();
        for (name, backend) in support::backends() {
            let kernel = Engine::builder().backend(backend).threads(2).build().and_then(|engine| engine.compile(TEXT));
            let v = kernel.expect("a kernel").eval(Args::new().input("u", View::new(&u).shape([rows, columns])));
            let v = v.expect("it runs");
            let wrong = v.into_vec::<f64>().expect("floats").into_iter().enumerate().find(|(k, found)| {
                let (i, j) = (k / columns, k % columns);
                let far = u[(i + rows - 1) % rows * columns + (j + 1) % columns];
                *found != far - u[i * columns + (j + columns - 2) % columns]
            });
            assert_eq!(wrong, None, "{name}, {columns} columns");
        }
    }
}

/// The same in three dimensions, where planes end between rows that follow one another.
#[test]
fn planes_beyond_the_caches() {
    const TEXT: &str = "
        kernel k(u: f32[3] boundary(reflect)) -> (v) over (h, i, j) { v = u[h + 1, i - 1, j + 1] - u[h, i, j - 2] }
    ";
    let [planes, rows, columns] = [5, 700, 2560_usize];
    let u: Vec<f32> = (0..planes * rows * columns).map(|k| (k * 37 % 1009) as f32).collect();
    let (_, place) = MODES.into_iter().find(|(mode, _)| *mode == "reflect").expect("a mode of that name");
    let [d, r, c] = [planes, rows, columns].map(|extent| extent as isize);
    let at = |h: isize, i: isize, j: isize| {
        let [h, i, j] = [place(h, d), place(i, r), place(j, c)].map(|at| at.expect("an element"));
        u[((h * r + i) * c + j) as usize]
    };
    for (name, backend) in support::backends() {
        let kernel = Engine::builder().backend(backend).threads(2).build().and_then(|engine| engine.compile(TEXT));
        let v = kernel.expect("a kernel").eval(Args::new().input("u", View::new(&u).shape([planes, rows, columns])));
        let v = v.expect("it runs").into_vec::<f32>().expect("floats");
        let wrong = v.into_iter().enumerate().find(|(k, found)| {
            let [h, i, j] = [k / columns / rows, k / columns % rows, k % columns].map(|at| at as isize);
            *found != at(h + 1, i - 1, j + 1) - at(h, i, j - 2)
        });
        assert_eq!(wrong, None, "{name}");
    }
}
