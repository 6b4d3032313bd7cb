//! A cancel token and a deadline to one byte that says whether a run goes on.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// A token that ends runs from another thread; clones are the same token.
///
/// It may be given to any number of runs, one after another or at once. A cancelled token stays so: a run that is given
/// it later ends before it begins. Each run ends within the time of a chunk with [`ErrorKind::Cancelled`], and its
/// outputs then hold unspecified but initialised values.
///
/// ```
/// let cancel = numlift::Cancel::new();
/// let in_the_signal_handler = cancel.clone();
/// std::thread::spawn(move || in_the_signal_handler.cancel()).join().unwrap();
/// assert!(cancel.is_cancelled());
/// ```
#[derive(Clone, Default)]
pub struct Cancel(Arc<Token>);

#[derive(Default)]
struct Token {
    /// `GO` or `CANCELLED`.
    state: AtomicU8,
    /// The stop bytes of the runs under way with this token.
    runs: Mutex<Vec<Arc<AtomicU8>>>,
}

impl Cancel {
    /// A token that is not cancelled.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Ends every run that has this token, now and later; does not wait for them.
    pub fn cancel(&self) {
        self.0.state.store(CANCELLED, Ordering::SeqCst);
        for run in self.runs().iter() {
            set(run, CANCELLED);
        }
    }

    /// Whether [`cancel`](Cancel::cancel) was called on this token or a clone of it.
    pub fn is_cancelled(&self) -> bool {
        self.0.state.load(Ordering::SeqCst) == CANCELLED
    }

    fn runs(&self) -> MutexGuard<'_, Vec<Arc<AtomicU8>>> {
        self.0.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Cancel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cancel").field("is_cancelled", &self.is_cancelled()).finish()
    }
}

/// The run goes on; every other value of the byte is a reason to stop, and the first one stays.
const GO: u8 = 0;
const CANCELLED: u8 = 1;
const LATE: u8 = 2;
/// One of the run's own threads cannot go on, and says itself why.
const FAILED: u8 = 3;

fn set(byte: &AtomicU8, reason: u8) {
    // A lost race is no failure: the run stops for the reason that came first.
    let _ = byte.compare_exchange(GO, reason, Ordering::SeqCst, Ordering::SeqCst);
}

/// Whether one run goes on. Costs nothing to make where there is neither token nor deadline.
pub(crate) struct Stop {
    own: AtomicU8,
    /// Takes the place of `own` in a run that others may stop.
    shared: Option<Arc<AtomicU8>>,
    cancel: Option<Cancel>,
    deadline: Option<(Instant, Duration)>,
    /// Looks at the clock for a run that may not for long.
    watchdog: Option<Arc<Watchdog>>,
    interrupted: AtomicBool,
    failure: OnceLock<Error>,
}

impl Stop {
    /// `limit` counts from now. A run that may be in a loop when its time is over needs the watchdog.
    #[inline]
    pub(crate) fn new(cancel: Option<&Cancel>, limit: Option<Duration>, watchdog: Option<&Arc<Watchdog>>) -> Stop {
        // A limit too long for the clock is none.
        let deadline = limit.and_then(|limit| Some((Instant::now().checked_add(limit)?, limit)));
        let watchdog = watchdog.filter(|_| deadline.is_some()).cloned();
        let shared = (cancel.is_some() || watchdog.is_some()).then(|| Arc::new(AtomicU8::new(GO)));
        if let (Some(cancel), Some(byte)) = (cancel, &shared) {
            cancel.runs().push(Arc::clone(byte));
            // After the push: a `cancel` in between has seen the byte, one before is seen here.
            if cancel.is_cancelled() {
                set(byte, CANCELLED);
            }
        }
        if let (Some(watchdog), Some(byte), Some((at, _))) = (&watchdog, &shared, deadline) {
            watchdog.watch(at, byte);
        }
        Stop {
            own: AtomicU8::new(GO),
            shared,
            cancel: cancel.cloned(),
            deadline,
            watchdog,
            interrupted: AtomicBool::new(false),
            failure: OnceLock::new(),
        }
    }

    /// Is 0 as long as the run goes on.
    pub(crate) fn byte(&self) -> &AtomicU8 {
        self.shared.as_deref().unwrap_or(&self.own)
    }

    /// Notes that a part was left undone, because of `failure` or of what set the byte, and lets other threads end.
    pub(crate) fn interrupt(&self, failure: Option<Error>) {
        if let Some(failure) = failure {
            let _ = self.failure.set(failure);
            set(self.byte(), FAILED);
        }
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Whether a part was left undone.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// The error of a run of which a part was begun and left undone.
    pub(crate) fn check_whole(&self) -> Result<()> {
        if self.interrupted.load(Ordering::Relaxed) { self.check() } else { Ok(()) }
    }

    /// To be asked between chunks, by every thread: reads the clock if there is a deadline.
    pub(crate) fn poll(&self) -> ControlFlow<()> {
        if let Some((deadline, _)) = self.deadline
            && self.byte().load(Ordering::Relaxed) == GO
            && Instant::now() >= deadline
        {
            set(self.byte(), LATE);
        }
        match self.byte().load(Ordering::Relaxed) {
            GO => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }

    /// The error that the run ends with if it was stopped; to be asked only where chunks were left undone.
    pub(crate) fn check(&self) -> Result<()> {
        // If someone else stopped the run first, that is why.
        if let (FAILED, Some(failure)) = (self.byte().load(Ordering::Relaxed), self.failure.get()) {
            return Err(failure.clone());
        }
        let (code, message) = match (self.byte().load(Ordering::Relaxed), self.deadline) {
            (GO, _) => return Ok(()),
            (LATE, Some((_, limit))) => ("deadline", format!("the run did not end within its deadline of {limit:?}")),
            _ => ("cancelled", "the run was cancelled".to_owned()),
        };
        Err(Error::new(ErrorKind::Cancelled, code, message)
            .with_note("its outputs hold unspecified but initialised values"))
    }
}

impl Drop for Stop {
    #[inline]
    fn drop(&mut self) {
        let Some(byte) = &self.shared else { return };
        if let Some(cancel) = &self.cancel {
            cancel.runs().retain(|run| !Arc::ptr_eq(run, byte));
        }
        if let Some(watchdog) = &self.watchdog {
            watchdog.forget(byte);
        }
    }
}

/// Stops runs when their time is over; of one engine. It has a thread only while such a run is under way.
#[derive(Default)]
pub(crate) struct Watchdog {
    runs: Mutex<Watched>,
    changed: Condvar,
}

#[derive(Default)]
struct Watched {
    /// When each run is late, and its stop byte.
    bytes: Vec<(Instant, Arc<AtomicU8>)>,
    has_thread: bool,
}

impl Watchdog {
    fn runs(&self) -> MutexGuard<'_, Watched> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(self: &Arc<Self>, at: Instant, byte: &Arc<AtomicU8>) {
        let mut runs = self.runs();
        runs.bytes.push((at, Arc::clone(byte)));
        if runs.has_thread {
            drop(runs);
            self.changed.notify_one();
            return;
        }
        let dog = Arc::clone(self);
        // Without a thread the run is still stopped between chunks.
        runs.has_thread = thread::Builder::new().name("numlift deadline".into()).spawn(move || dog.keep()).is_ok();
    }

    fn forget(&self, byte: &Arc<AtomicU8>) {
        self.runs().bytes.retain(|(_, known)| !Arc::ptr_eq(known, byte));
        self.changed.notify_one();
    }

    /// What the thread does.
    fn keep(&self) {
        let mut runs = self.runs();
        loop {
            let now = Instant::now();
            runs.bytes.iter().filter(|(at, _)| *at <= now).for_each(|(_, byte)| set(byte, LATE));
            runs.bytes.retain(|(at, _)| *at > now);
            let Some(next) = runs.bytes.iter().map(|(at, _)| *at).min() else { break };
            let waited = self.changed.wait_timeout(runs, next - now);
            runs = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        runs.has_thread = false;
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{Arc, Cancel, GO, Ordering, Stop, Watchdog};
    use crate::error::ErrorKind;

    fn code(stop: &Stop) -> &'static str {
        stop.check().map_or_else(|error| error.code(), |()| "")
    }

    #[test]
    fn a_run_without_token_or_deadline_goes_on() {
        let stop = Stop::new(None, None, None);
        assert!(stop.poll().is_continue());
        assert!(stop.check().is_ok());
    }

    #[test]
    fn a_token_stops_the_runs_that_have_it_and_no_other() {
        let (cancel, other) = (Cancel::new(), Cancel::new());
        let stops =
            [Stop::new(Some(&cancel), None, None), Stop::new(Some(&cancel), Some(Duration::from_secs(3600)), None)];
        let untouched = Stop::new(Some(&other), None, None);
        assert!(stops.iter().all(|stop| stop.poll().is_continue()));
        cancel.clone().cancel();
        assert!(stops.iter().all(|stop| stop.poll().is_break() && code(stop) == "cancelled"));
        assert!(untouched.poll().is_continue() && !other.is_cancelled());
        assert_eq!(code(&Stop::new(Some(&cancel), None, None)), "cancelled");
    }

    #[test]
    fn a_deadline_stops_once_it_is_past_and_the_first_reason_stays() {
        let cancel = Cancel::new();
        let stop = Stop::new(Some(&cancel), Some(Duration::from_millis(20)), None);
        thread::sleep(Duration::from_millis(25));
        assert!(stop.poll().is_break());
        cancel.cancel();
        let error = stop.check().unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Cancelled, "deadline"));
        assert_eq!(error.message(), "the run did not end within its deadline of 20ms");
        assert!(Stop::new(None, Some(Duration::from_secs(3600)), None).poll().is_continue());
        assert!(Stop::new(None, Some(Duration::MAX), None).poll().is_continue());
        assert!(Stop::new(None, Some(Duration::ZERO), None).poll().is_break());
    }

    #[test]
    fn a_watchdog_stops_a_run_that_does_not_look_at_the_clock() {
        let dog = Arc::new(Watchdog::default());
        let late = Stop::new(None, Some(Duration::from_millis(20)), Some(&dog));
        let soon = Stop::new(None, Some(Duration::from_secs(3600)), Some(&dog));
        while late.byte().load(Ordering::Relaxed) == GO {
            thread::yield_now();
        }
        assert_eq!((code(&late), code(&soon)), ("deadline", ""));
        drop((late, soon));
        // Without runs its thread ends.
        while dog.runs().has_thread {
            thread::yield_now();
        }
    }

    #[test]
    fn a_token_forgets_runs_that_ended() {
        let cancel = Cancel::new();
        for _ in 0..1000 {
            let _ended = Stop::new(Some(&cancel), None, None);
        }
        assert!(cancel.runs().is_empty());
    }

    #[test]
    fn no_run_misses_a_cancel_that_races_with_its_start() {
        for _ in 0..200 {
            let cancel = Cancel::new();
            thread::scope(|scope| {
                scope.spawn(|| cancel.cancel());
                for _ in 0..2 {
                    scope.spawn(|| {
                        let stop = Stop::new(Some(&cancel), None, None);
                        let start = Instant::now();
                        while stop.poll().is_continue() {
                            assert!(start.elapsed() < Duration::from_secs(10), "the cancel was missed");
                            thread::yield_now();
                        }
                    });
                }
            });
        }
    }
}
