//! A formula over raw arrays: `evaluate FORMULA DTYPE [fast] < arguments > results`, for tests written in other languages.
//!
//! The arrays of all parameters follow one another, of the same length, in the order of the parameters' first mention, as
//! the machine lays out the dtype: `f32` or `f64`.

use std::error::Error;
use std::io::{self, Read, Write};

use numlift::{Accuracy, Args, DType, Engine, View};

fn main() -> Result<(), Box<dyn Error>> {
    let words = std::env::args().collect::<Vec<_>>();
    let (formula, dtype, accuracy) = match &words[..] {
        [_, formula, dtype] => (formula, dtype, Accuracy::Best),
        [_, formula, dtype, fast] if fast == "fast" => (formula, dtype, Accuracy::Fast),
        _ => return Err("usage: evaluate FORMULA DTYPE [fast] < arguments > results".into()),
    };
    let dtype = match dtype.as_str() {
        "f32" => DType::F32,
        "f64" => DType::F64,
        _ => return Err(format!("the dtype is f32 or f64, found {dtype}").into()),
    };
    let kernel = Engine::builder().accuracy(accuracy).build()?.compile(formula)?;
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    let array = bytes.len() / kernel.params().len().max(1);
    let view = |name: &str| {
        let k = kernel.params().iter().position(|param| param.name() == name)?;
        let bytes = bytes.get(k * array..(k + 1) * array)?;
        let len = bytes.len() / dtype.size();
        View::from_bytes(dtype, bytes, &[len], &[dtype.size() as isize]).ok()
    };
    let outputs = kernel.eval(Args::lookup(view))?;
    for name in outputs.names() {
        let view = outputs.view(name)?;
        io::stdout().write_all(view.as_bytes().ok_or("an output has no gaps")?)?;
    }
    Ok(())
}
