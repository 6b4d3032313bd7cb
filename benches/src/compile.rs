//! Formulas of growing size to the time from text to callable.

use std::error::Error;
use std::time::Duration;

use numlift::{Backend, DType, Engine, Schema};

use crate::Filter;
use crate::machine::Machine;
use crate::record::{Record, Records, digits, head, row};
use crate::turns::{Clock, Contender, race};

const TURNS: usize = 31;
const TURN: Duration = Duration::from_millis(4);

/// Each formula is compiled anew every time; nothing of one compilation helps the next but warm caches.
pub(crate) fn measure(_: &Machine, filter: &Filter) -> Result<Records, Box<dyn Error>> {
    let columns = [
        ("formula", 24),
        ("ops", 7),
        ("text us", 10),
        ("types, code us", 17),
        ("all us", 10),
        ("best us", 10),
        ("128-bit us", 12),
        ("best us", 10),
    ];
    let mut record = Record::new(
        "compile",
        "formula,operations,bytes,turns,text_us,prepare_us,total_us,total_best_us,cranelift_us,cranelift_best_us",
    );
    head(&columns);
    let (engine, narrow) = (Engine::new()?, Engine::builder().backend(Backend::Cranelift).build()?);
    for (name, operations, text) in formulas().into_iter().filter(|(name, ..)| filter.takes(name)) {
        let kernel = engine.compile(&text)?;
        let schema =
            kernel.params().iter().fold(Schema::new(), |schema, param| schema.array(param.name(), DType::F64, 1));
        kernel.prepare(&schema)?;
        let parse = Contender {
            name: "text",
            run: Box::new(|(), repeats| (0..repeats).for_each(|_| drop(engine.compile(&text)))),
        };
        let all = |name, engine: &Engine| {
            let (engine, text, schema) = (engine.clone(), &text, &schema);
            let compile = move || drop(engine.compile(text).map(|kernel| kernel.prepare(schema)));
            Contender { name, run: Box::new(move |(): &mut (), repeats| (0..repeats).for_each(|_| compile())) }
        };
        let contenders = [parse, all("all", &engine), all("all, 128-bit", &narrow)];
        let samples = race(&mut (), &contenders, TURNS, TURN, Clock::Thread);
        let (text_us, all_us, best) = (samples[0].median() / 1e3, samples[1].median() / 1e3, samples[1].best() / 1e3);
        let (narrow_us, narrow_best) = (samples[2].median() / 1e3, samples[2].best() / 1e3);
        let times = [text_us, all_us - text_us, all_us, best, narrow_us, narrow_best].map(digits);
        row(&columns, &[&[name.clone(), operations.to_string()][..], &times[..]].concat());
        let facts = [name, operations.to_string(), text.len().to_string(), TURNS.to_string()];
        record.push(&[&facts[..], &times[..]].concat());
    }
    Ok(Records::of(record))
}

const TEN_FUNCTIONS: &str = "exp(x) + log(x) + sin(x) + tan(x) + tanh(x) + erf(x) + atan(x) + cbrt(x) + sinh(x) + x**y";

/// Name, operators and calls in the text, text.
fn formulas() -> Vec<(String, usize, String)> {
    let mut formulas = vec![("a*b+c".to_owned(), "a*b + c".to_owned())];
    formulas.extend([10, 36, 100, 400, 1000].map(|count| (format!("arithmetic {count}"), arithmetic(count))));
    formulas.extend(["exp(-x*x)", "sin(x)*cos(y)", "x**2.5"].map(|text| (text.to_owned(), text.to_owned())));
    formulas.push(("ten functions".to_owned(), TEN_FUNCTIONS.to_owned()));
    formulas.push(("Black-Scholes".to_owned(), black_scholes()));
    formulas.into_iter().map(|(name, text)| (name, operations(&text), text)).collect()
}

fn operations(text: &str) -> usize {
    let text = text.replace("**", "^");
    let calls = text.as_bytes().windows(2).filter(|pair| pair[0].is_ascii_alphanumeric() && pair[1] == b'(').count();
    text.matches(['+', '-', '*', '/', '^', '<']).count() + calls
}

/// An expression of that many operators on four arrays and literals that are no two the same.
fn arithmetic(operations: usize) -> String {
    fn grow(operations: usize, state: &mut u64) -> String {
        *state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let draw = (*state >> 33) as usize;
        if operations == 0 {
            let name = ["a", "b", "c", "d"][draw % 4];
            return if draw.is_multiple_of(3) {
                format!("{:.6}", 1.0 + draw as f64 / (1_u64 << 31) as f64)
            } else {
                name.to_owned()
            };
        }
        let left = (operations - 1) / 2;
        let (left, right) = (grow(left, state), grow(operations - 1 - left, state));
        format!("({left} {} {right})", ["+", "*", "-", "*", "+", "/", "-", "+"][draw % 8])
    }
    grow(operations, &mut 1)
}

/// Prices of a call and a put; the normal distribution by Abramowitz and Stegun 26.2.17, good to 7.5e-8.
fn black_scholes() -> String {
    let normal = |z: &str| {
        let tail = format!(
            "k{z}*(0.319381530 + k{z}*(-0.356563782 + k{z}*(1.781477937 + k{z}*(-1.821255978 + k{z}*1.330274429))))"
        );
        format!(
            "k{z} = 1 / (1 + 0.2316419*abs({z}))\n\
             w{z} = 0.3989422804014327*exp(-{z}*{z}/2) * {tail}\n\
             n{z} = where({z} < 0, w{z}, 1 - w{z})\n"
        )
    };
    format!(
        "d1 = (log(s/k) + (r + v*v/2)*t) / (v*sqrt(t))\nd2 = d1 - v*sqrt(t)\n{}{}\
         call = s*nd1 - k*exp(-r*t)*nd2\nput = call + k*exp(-r*t) - s\ncall, put\n",
        normal("d1"),
        normal("d2")
    )
}
