//! Contenders to times: they run by turns A B C A B C, so that what disturbs the machine disturbs all alike.
#![cfg_attr(unix, expect(unsafe_code, reason = "the system's clock of a thread"))]

use std::time::Duration;
#[cfg(not(unix))]
use std::time::Instant;

/// What time is.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    /// As the caller's thread spends it on a core: what others do on the machine in between does not count.
    Thread,
    /// As all threads of the process spend it on cores.
    Process,
    /// As the world sees it, where several threads work.
    Wall,
}

#[cfg(unix)]
impl Clock {
    /// Nanoseconds since some instant.
    pub(crate) fn now(self) -> u64 {
        let clock = match self {
            Clock::Thread => libc::CLOCK_THREAD_CPUTIME_ID,
            Clock::Process => libc::CLOCK_PROCESS_CPUTIME_ID,
            Clock::Wall => libc::CLOCK_MONOTONIC,
        };
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the place for the answer is there.
        assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut time) }, 0, "the system has the clock");
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }
}

#[cfg(not(unix))]
impl Clock {
    /// Nanoseconds since some instant; as the world sees it, always.
    pub(crate) fn now(self) -> u64 {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}

/// One way to do the work, on state that all share.
pub(crate) struct Contender<'a, S> {
    pub(crate) name: &'static str,
    /// Does the work that many times.
    pub(crate) run: Box<Run<'a, S>>,
}

type Run<'a, S> = dyn Fn(&mut S, usize) + 'a;

/// Nanoseconds of one run of a contender, turn by turn.
#[derive(Clone, Debug)]
pub(crate) struct Samples(pub(crate) Vec<f64>);

impl Samples {
    pub(crate) fn median(&self) -> f64 {
        median(self.0.clone())
    }

    pub(crate) fn best(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The median of this over that, turn by turn: what disturbs one turn falls out.
    pub(crate) fn over(&self, that: &Samples) -> f64 {
        median(self.0.iter().zip(&that.0).map(|(this, that)| this / that).collect())
    }

    /// The time that `self` takes beyond `less`, for each of `count`.
    pub(crate) fn slope(&self, less: &Samples, count: usize) -> Samples {
        Samples(self.0.iter().zip(&less.0).map(|(more, less)| (more - less) / count as f64).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// Times each contender `turns` times, each turn for about `turn` or one run, whichever is longer.
pub(crate) fn race<S>(
    state: &mut S,
    contenders: &[Contender<'_, S>],
    turns: usize,
    turn: Duration,
    clock: Clock,
) -> Vec<Samples> {
    let repeats: Vec<usize> = contenders.iter().map(|contender| calibrate(state, contender, turn, clock)).collect();
    let mut samples = vec![Samples(Vec::with_capacity(turns)); contenders.len()];
    for _ in 0..turns {
        for (k, contender) in contenders.iter().enumerate() {
            let time = timed(state, contender, repeats[k], clock);
            samples[k].0.push(time as f64 / repeats[k] as f64);
        }
    }
    samples
}

/// How many runs take about as long as a turn.
fn calibrate<S>(state: &mut S, contender: &Contender<'_, S>, turn: Duration, clock: Clock) -> usize {
    let turn = turn.as_nanos() as u64;
    let mut repeats = 1;
    loop {
        let time = timed(state, contender, repeats, clock);
        if time >= turn / 4 {
            return (repeats as u64 * turn / time).max(1) as usize;
        }
        repeats *= 2;
    }
}

/// Nanoseconds of that many runs.
fn timed<S>(state: &mut S, contender: &Contender<'_, S>, repeats: usize, clock: Clock) -> u64 {
    let start = clock.now();
    (contender.run)(state, repeats);
    clock.now() - start
}
