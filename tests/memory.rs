//! Runs to the bytes that they allocate: what is reduced needs no array of the size of its inputs.
#![expect(unsafe_code, reason = "an allocator that counts stands before the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use numlift::{Args, Backend, Engine, View, ViewMut};

/// The system's allocator, with the bytes that are taken and the most that were.
struct Counting;

static TAKEN: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let taken = TAKEN.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(taken, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that were taken at a time while `act` ran, beyond those before.
fn most_while(act: impl FnOnce()) -> usize {
    let before = TAKEN.load(Relaxed);
    MOST.store(before, Relaxed);
    act();
    MOST.load(Relaxed) - before
}

/// One test: others in the process would be counted too.
#[test]
fn nothing_of_the_size_of_an_input_is_allocated() {
    const ROWS: usize = 8192;
    const COLUMNS: usize = 128;
    let a: Vec<f64> = (0..ROWS * COLUMNS).map(|k| (k % 1000) as f64 / 8.0).collect();
    let b: Vec<f64> = a.iter().map(|x| x + 1.0).collect();
    let (mut one, mut all) = (vec![0.0], vec![0.0; a.len()]);
    let softmax = "e = exp(a - max(a, axis=1, keepdims=True)); e / sum(e, axis=1, keepdims=True)";
    let cases = [
        ("sum((a - b)**2)", false),
        ("sqrt(sum((a - b)**2)) + mean(abs(a * b)) + std(a)", false),
        ("logsumexp(a - b)", false),
        ("count_nonzero(a > b) + 0.5 * argmax(a * b)", false),
        ("(a - mean(a)) / std(a)", true),
        (softmax, true),
        ("cumsum(a * b, axis=1)", true),
    ];
    for backend in [Backend::Cranelift, Backend::Auto] {
        let engine = Engine::builder().threads(2).backend(backend).build().expect("an engine");
        for (text, gives_all) in cases {
            let kernel = engine.compile(text).expect("a formula");
            let mut run = || {
                let args = Args::lookup(|name| {
                    let array = if name == "a" { &a } else { &b };
                    Some(View::new(array).shape([ROWS, COLUMNS]))
                });
                let output = if gives_all {
                    ViewMut::new(&mut all).shape([ROWS, COLUMNS])
                } else {
                    ViewMut::new(&mut one).shape([])
                };
                kernel.run(args.output(output)).expect("a run");
            };
            // What is compiled stays.
            run();
            let most = most_while(run);
            assert!(most < a.len() * size_of::<f64>() / 8, "{text} takes {most} bytes more");
        }
    }
}
