//! Branches that few elements want, against the interpreter: one element of a group wants it, every third, all.

mod support;

use numlift::{Args, DType, Kernel, View};
use support::engines;

/// Some groups of every backend, and a part of one.
const LEN: usize = 150;

/// Values that take no branch, from 1 on, and no two the same.
fn usual() -> Vec<f64> {
    (0..LEN).map(|k| 1.0 + k as f64 / 64.0).collect()
}

fn bits(kernel: &Kernel, x: View<'_>, y: View<'_>) -> Vec<u64> {
    let result = kernel.eval(Args::new().input("x", x).input("y", y)).expect("a run");
    let name = result.names().next().expect("one output").to_owned();
    match result.dtype(&name).expect("it is there") {
        DType::F64 => result.into_vec::<f64>().expect("of f64").into_iter().map(canonical).collect(),
        _ => result.into_vec::<f32>().expect("of f32").into_iter().map(|x| canonical(x.into())).collect(),
    }
}

/// The bits, but one NaN for all.
fn canonical(x: f64) -> u64 {
    if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() }
}

#[test]
fn wherever_the_elements_stand_that_want_one() {
    let long = "a = (x*y + x) * (y - x); b = (a*x - y) * (a + y); c = (b*a + x) * (b - y); d = (c*x - b) * (c + a); \
                e = (d*y + c) * (d - b); f = (e*a - d) * (e + c); g = (f*b + e) * (f - d)";
    let branch = format!("kernel k(x, y) -> (r) {{ r = x\n if x > 1000.0 {{ {long}; r = g }}\n }}");
    let programs = [
        "sin(x) * cos(y)",
        "tan(x) + sin(y) * sin(y + x)",
        "log(x) - log(y)",
        "log1p(x) + log(x) * y",
        "x ** y + log2(y)",
        "where(x > y, sin(x), cos(x))",
        "hypot(x, y) + gamma(x)",
        "x % 3.0 + sin(y)",
        &branch,
    ];
    let rare = [1e22, 1e300, -2.5, 0.0, f64::MIN_POSITIVE / 3.0, f64::INFINITY, f64::NAN];
    let engines = engines();
    let y: Vec<f64> = usual().iter().map(|x| x * 0.75).collect();
    for text in programs {
        let compiled = engines.iter().map(|(name, engine)| (*name, engine.compile(text).expect("a program")));
        let (interpreter, backends) = compiled.partition::<Vec<_>, _>(|(name, _)| *name == "interpreter");
        let check = |x: &[f64], what: &str| {
            let narrow: Vec<f32> = x.iter().map(|x| *x as f32).collect();
            let narrow_y: Vec<f32> = y.iter().map(|y| *y as f32).collect();
            for (x, y) in [
                (View::new(x), View::new(&y)),
                (View::new(&narrow), View::new(&narrow_y)),
                (View::new(&narrow), View::new(&y)),
            ] {
                let expected = bits(&interpreter[0].1, x.clone(), y.clone());
                for (name, kernel) in &backends {
                    let found = bits(kernel, x.clone(), y.clone());
                    let first = found.iter().zip(&expected).position(|(x, y)| x != y);
                    assert_eq!(first, None, "{name}, {what}: {text}");
                }
            }
        };
        for place in 0..70 {
            let mut x = usual();
            x[place] = rare[place % rare.len()];
            check(&x, &format!("the one at {place}"));
        }
        for step in [1, 3, 8] {
            let mut x = usual();
            x.iter_mut().step_by(step).zip(rare.iter().cycle()).for_each(|(x, rare)| *x = *rare);
            check(&x, &format!("every {step}"));
        }
    }
}
