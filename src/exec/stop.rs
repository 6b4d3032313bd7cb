//! A cancel token and a deadline to one byte that says whether a run goes on.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

fn set(byte: &AtomicU8, reason: u8) {
    // A lost race is no failure: the run stops for the reason that came first.
    let _ = byte.compare_exchange(GO, reason, Ordering::SeqCst, Ordering::SeqCst);
}

/// Whether one run goes on. Costs nothing to make where there is neither token nor deadline.
pub(crate) struct Stop {
    own: AtomicU8,
    /// Takes the place of `own` in a run that has a token.
    shared: Option<(Cancel, Arc<AtomicU8>)>,
    deadline: Option<(Instant, Duration)>,
}

impl Stop {
    /// `limit` counts from now.
    #[inline]
    pub(crate) fn new(cancel: Option<&Cancel>, limit: Option<Duration>) -> Stop {
        let shared = cancel.map(|cancel| {
            let byte = Arc::new(AtomicU8::new(GO));
            cancel.runs().push(Arc::clone(&byte));
            // After the push: a `cancel` in between has seen the byte, one before is seen here.
            if cancel.is_cancelled() {
                set(&byte, CANCELLED);
            }
            (cancel.clone(), byte)
        });
        // A limit too long for the clock is none.
        let deadline = limit.and_then(|limit| Some((Instant::now().checked_add(limit)?, limit)));
        Stop { own: AtomicU8::new(GO), shared, deadline }
    }

    fn byte(&self) -> &AtomicU8 {
        self.shared.as_ref().map_or(&self.own, |(_, byte)| byte)
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
        if let Some((cancel, byte)) = &self.shared {
            cancel.runs().retain(|run| !Arc::ptr_eq(run, byte));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{Cancel, Stop};
    use crate::error::ErrorKind;

    fn code(stop: &Stop) -> &'static str {
        stop.check().map_or_else(|error| error.code(), |()| "")
    }

    #[test]
    fn a_run_without_token_or_deadline_goes_on() {
        let stop = Stop::new(None, None);
        assert!(stop.poll().is_continue());
        assert!(stop.check().is_ok());
    }

    #[test]
    fn a_token_stops_the_runs_that_have_it_and_no_other() {
        let (cancel, other) = (Cancel::new(), Cancel::new());
        let stops = [Stop::new(Some(&cancel), None), Stop::new(Some(&cancel), Some(Duration::from_secs(3600)))];
        let untouched = Stop::new(Some(&other), None);
        assert!(stops.iter().all(|stop| stop.poll().is_continue()));
        cancel.clone().cancel();
        assert!(stops.iter().all(|stop| stop.poll().is_break() && code(stop) == "cancelled"));
        assert!(untouched.poll().is_continue() && !other.is_cancelled());
        assert_eq!(code(&Stop::new(Some(&cancel), None)), "cancelled");
    }

    #[test]
    fn a_deadline_stops_once_it_is_past_and_the_first_reason_stays() {
        let cancel = Cancel::new();
        let stop = Stop::new(Some(&cancel), Some(Duration::from_millis(20)));
        assert!(stop.poll().is_continue());
        thread::sleep(Duration::from_millis(25));
        assert!(stop.poll().is_break());
        cancel.cancel();
        let error = stop.check().unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Cancelled, "deadline"));
        assert_eq!(error.message(), "the run did not end within its deadline of 20ms");
        assert!(Stop::new(None, Some(Duration::MAX)).poll().is_continue());
        assert!(Stop::new(None, Some(Duration::ZERO)).poll().is_break());
    }

    #[test]
    fn a_token_forgets_runs_that_ended() {
        let cancel = Cancel::new();
        for _ in 0..1000 {
            let _ended = Stop::new(Some(&cancel), None);
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
                        let stop = Stop::new(Some(&cancel), None);
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
