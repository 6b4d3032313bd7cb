//! Small arrays to the cost of a call: what a run takes besides the work.

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use numlift::{Args, DType, Engine, Schema, View, ViewMut};

use crate::array::Array;
use crate::machine::Machine;
use crate::record::{Record, Records, digits, head, row};
use crate::turns::{Clock, Contender, race};
use crate::workloads::Case;
use crate::{Filter, peers};

const TURNS: usize = 31;
const TURN: Duration = Duration::from_millis(3);
const LENGTHS: [usize; 4] = [1, 16, 256, 1024];

/// `a*b + c` in f64, in four ways of calling, beside the same loop in Rust behind a function pointer.
pub(crate) fn measure(_: &Machine, filter: &Filter) -> Result<Records, Box<dyn Error>> {
    let columns = [("call", 26), ("n", 7), ("ns", 9), ("best ns", 9), ("ns/element", 12)];
    let mut record = Record::new("call", "call,n,turns,ns,best_ns");
    head(&columns);
    let engine = Engine::new()?;
    let kernel = engine.compile("a*b + c")?;
    let schema = ["a", "b", "c"].iter().fold(Schema::new(), |schema, name| schema.array(name, DType::F64, 1));
    let bound = kernel.bind(&schema)?;
    let function = kernel.bind_fn::<(f64, f64, f64), f64>()?;
    let workers = peers::Workers::new(1);
    for n in LENGTHS {
        let inputs = (0..3).map(|seed| Array::random(DType::F64, n, (0.0, 1.0), seed + 1)).collect();
        let mut case = Case { inputs, output: Array::zeroed(DType::F64, n) };
        let mut contenders: Vec<Contender<'_, Case>> = vec![
            Contender {
                name: "bound, views kept",
                run: Box::new(|case, repeats| {
                    let inputs: Vec<View<'_>> = case.inputs.iter().map(Array::view).collect();
                    let mut outputs = [case.output.view_mut()];
                    (0..repeats).for_each(|_| bound.run(black_box(&inputs), &mut outputs).expect("the kernel runs"));
                }),
            },
            Contender {
                name: "bound, views made",
                run: Box::new(|case, repeats| {
                    let [a, b, c] = &case.inputs[..] else { panic!("three inputs") };
                    let [a, b, c] = [a, b, c].map(Array::slice::<f64>);
                    let out = case.output.slice_mut::<f64>();
                    (0..repeats).for_each(|_| {
                        let inputs = [View::from(black_box(a)), View::from(b), View::from(c)];
                        bound.run(&inputs, &mut [ViewMut::from(&mut *out)]).expect("the kernel runs");
                    });
                }),
            },
            Contender {
                name: "run by name",
                run: Box::new(|case, repeats| {
                    let [a, b, c] = &case.inputs[..] else { panic!("three inputs") };
                    let [a, b, c] = [a, b, c].map(Array::slice::<f64>);
                    let out = case.output.slice_mut::<f64>();
                    (0..repeats).for_each(|_| {
                        let args = Args::new().input("a", black_box(a)).input("b", b).input("c", c).output(&mut *out);
                        kernel.run(args).expect("the kernel runs");
                    });
                }),
            },
            Contender {
                name: "Rust loop",
                run: Box::new(|case, repeats| {
                    (0..repeats).for_each(|_| black_box(peers::triad as peers::Peer)(case, &workers));
                }),
            },
        ];
        if n == 1 {
            contenders.push(Contender {
                name: "bind_fn",
                run: Box::new(|_, repeats| {
                    for _ in 0..repeats {
                        black_box(function.call(black_box((1.5, 2.5, 3.5))));
                    }
                }),
            });
        }
        contenders.retain(|contender| filter.takes(contender.name));
        for (contender, samples) in contenders.iter().zip(race(&mut case, &contenders, TURNS, TURN, Clock::Thread)) {
            let (ns, best) = (samples.median(), samples.best());
            row(&columns, &[contender.name.to_owned(), n.to_string(), digits(ns), digits(best), digits(ns / n as f64)]);
            record.push(&[contender.name.to_owned(), n.to_string(), TURNS.to_string(), digits(ns), digits(best)]);
        }
    }
    Ok(Records::of(record))
}
