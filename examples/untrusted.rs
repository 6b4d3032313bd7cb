//! A product's formula box: text from strangers is checked when it is typed, and run within bounds.
//!
//! `cargo run --release --example untrusted`, or with formulas of your own over `price`, `qty` and `fee`:
//! `cargo run --release --example untrusted -- 'price * qty' 'qty // 7'`.

use std::thread;
use std::time::{Duration, Instant};

use numlift::{Args, Cancel, DType, Engine, Error, Kernel, Outputs, Schema, View};

const ROWS: usize = 1_000_000;

/// The product's table: what a formula may use.
struct Orders {
    price: Vec<f64>,
    qty: Vec<i32>,
    fee: f64,
}

impl Orders {
    fn column(&self, name: &str) -> Option<View<'_>> {
        match name {
            "price" => Some(View::new(&self.price)),
            "qty" => Some(View::new(&self.qty)),
            "fee" => Some(View::new(&self.fee)),
            _ => None,
        }
    }
}

fn main() -> Result<(), Error> {
    let engine = Engine::builder().untrusted().expressions_only().build()?;
    let schema = Schema::new().array("price", DType::F64, 1).array("qty", DType::I32, 1).scalar("fee", DType::F64);

    // While a formula is typed: what could stand after `si`?
    println!("completions of `si`:");
    for function in engine.functions().iter().filter(|function| function.name().starts_with("si")) {
        println!("  {:<14} {}", function.signature(), function.doc());
    }

    let typed: Vec<String> = std::env::args().skip(1).collect();
    let samples = [
        "price * qty * (1 - fee)",
        "where(10 <= qty < 100, qty // 12, 0)",
        "price > 99 and not qty < 0",
        "prize * qty",
        "sqroot(price)",
        "price ^ 2",
        "price * (qty + 1",
    ];
    let typed = if typed.is_empty() { samples.map(str::to_owned).to_vec() } else { typed };

    let orders = Orders {
        price: (0..ROWS).map(|i| (9 + i * 37 % 9973) as f64 / 100.0).collect(),
        qty: (0..ROWS as i32).map(|i| (5 + i * 29) % 131).collect(),
        fee: 0.029,
    };
    for text in &typed {
        println!("\n> {text}");
        match check(&engine, text, &schema) {
            Ok(kernel) => run(&kernel, &orders)?,
            // A caret under the place, and what to write instead.
            Err(error) => println!("{}", error.render()),
        }
    }

    too_long(&engine, &schema, &orders)
}

/// When a formula is saved, before there are data: its names and dtypes are checked, its code is made.
fn check(engine: &Engine, text: &str, schema: &Schema) -> Result<Kernel, Error> {
    let kernel = engine.compile_with(text, schema)?;
    for output in kernel.prepare(schema)? {
        println!("  will be {output}");
    }
    Ok(kernel)
}

fn run(kernel: &Kernel, orders: &Orders) -> Result<(), Error> {
    let args = Args::lookup(|name: &str| orders.column(name)).deadline(Duration::from_secs(1));
    let mut outputs = kernel.eval(args)?;
    let names: Vec<String> = outputs.names().map(str::to_owned).collect();
    for name in names {
        println!("  {}", first_values(&mut outputs, &name)?);
    }
    Ok(())
}

/// The dtype of a result depends on what was typed.
fn first_values(outputs: &mut Outputs, name: &str) -> Result<String, Error> {
    Ok(match outputs.dtype(name)? {
        DType::F64 => format!("{:?} ...", &outputs.take::<f64>(name)?[..4]),
        DType::I32 => format!("{:?} ...", &outputs.take::<i32>(name)?[..4]),
        DType::Bool => format!("{:?} ...", &outputs.take::<bool>(name)?[..4]),
        other => format!("{} elements of {other}", outputs.view(name)?.len()),
    })
}

/// Two ways in which a run ends early: it meets its deadline, or another thread cancels it.
fn too_long(engine: &Engine, schema: &Schema, orders: &Orders) -> Result<(), Error> {
    let terms: Vec<String> = (1..=100).map(|k| format!("sin(price * {k}) * cos(qty / {k})")).collect();
    let kernel = engine.compile_with(&terms.join(" + "), schema)?;
    kernel.prepare(schema)?;

    println!("\n> {} + ...", terms[0]);
    let began = Instant::now();
    let args = Args::lookup(|name: &str| orders.column(name)).deadline(Duration::from_millis(50));
    let error = kernel.eval(args).expect_err("100 sines and cosines of a million numbers take longer");
    println!("  after {:.0?}: {error}", began.elapsed());

    let cancel = Cancel::new();
    let began = Instant::now();
    let error = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(30));
            cancel.cancel();
        });
        kernel.eval(Args::lookup(|name: &str| orders.column(name)).cancel(&cancel)).expect_err("as above")
    });
    println!("  after {:.0?}: {error}", began.elapsed());
    Ok(())
}
