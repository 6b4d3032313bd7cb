//! A body over chunk indices to work that the caller and the threads of a rayon pool share.
#![expect(unsafe_code, reason = "helpers borrow the body for a time that only the gate knows")]

use std::any::Any;
use std::cell::Cell;
use std::mem::{ManuallyDrop, transmute};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use rayon::ThreadPool;
use rayon::ThreadPoolBuilder;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::float_env::FloatEnv;

/// Where helpers come from.
pub(crate) struct Pool {
    source: Source,
    /// Where its threads wait for the next run.
    room: Arc<Room>,
    /// The process that the threads live in.
    process: u32,
    /// Stands in for `self` in a process forked from `process`, where none of the threads lives on.
    forked: OnceLock<Box<Pool>>,
}

enum Source {
    /// The rayon pool that the caller runs in, else rayon's global one.
    Current,
    Given(Arc<ThreadPool>),
    Own(ManuallyDrop<ThreadPool>),
    /// No helpers.
    Alone,
}

impl Pool {
    fn of(source: Source) -> Pool {
        Pool { source, room: Arc::default(), process: process::id(), forked: OnceLock::new() }
    }

    /// The rayon pool that a caller runs in, else rayon's global one.
    pub(crate) fn current() -> Pool {
        Pool::of(Source::Current)
    }

    /// The caller's own pool.
    pub(crate) fn given(pool: Arc<ThreadPool>) -> Pool {
        Pool::of(Source::Given(pool))
    }

    /// A new pool for `threads` threads in all: the caller works too, so one fewer is made, and none for one.
    pub(crate) fn own(threads: usize) -> Result<Pool> {
        if threads <= 1 {
            return Ok(Pool::of(Source::Alone));
        }
        let builder = ThreadPoolBuilder::new().num_threads(threads - 1).thread_name(|i| format!("numlift-{i}"));
        let pool = builder.build().map_err(|refusal| {
            Error::new(ErrorKind::Host, "no-threads", format!("the system refused {threads} threads: {refusal}"))
        })?;
        Ok(Pool::of(Source::Own(ManuallyDrop::new(pool))))
    }

    /// How many threads can work on one run, the caller included.
    pub(crate) fn threads(&self) -> usize {
        match &self.source {
            Source::Current => rayon::current_num_threads(),
            Source::Given(pool) => pool.current_num_threads(),
            Source::Own(pool) => pool.current_num_threads() + 1,
            Source::Alone => 1,
        }
    }

    /// The pool whose threads live in this process.
    fn here(&self) -> &Pool {
        if self.process == process::id() {
            return self;
        }
        let stand_in = || Box::new(Pool::own(self.threads()).unwrap_or_else(|_| Pool::of(Source::Alone)));
        self.forked.get_or_init(stand_in).here()
    }

    /// The room that helpers of a run of this caller may wait in: all of them are threads of one pool.
    fn room(&self) -> Option<&Arc<Room>> {
        let is_shared = matches!(self.source, Source::Current) && rayon::current_thread_index().is_some();
        (!is_shared).then_some(&self.room)
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        match &self.source {
            Source::Current => rayon::spawn(job),
            Source::Given(pool) => pool.spawn(job),
            Source::Own(pool) => pool.spawn(job),
            Source::Alone => unreachable!("a pool of one thread is asked for no helper"),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // In a forked process the threads to be ended do not exist, and a lock that one of them held would never open.
        if let Source::Own(pool) = &mut self.source
            && self.process == process::id()
        {
            // SAFETY: the pool is dropped here alone, and `self` is not used again.
            unsafe { ManuallyDrop::drop(pool) };
        }
    }
}

/// Calls `body` with each of `0..chunks` once, in any order, until one call breaks; returns how many threads did so.
///
/// The caller works, and up to `helpers` threads of the pool join it as they become free: none is waited for that has
/// not begun, so a run ends though the whole pool be blocked. Every call has the default floating-point modes. A panic
/// of `body` on any thread stops the run, and goes on in the caller once nobody uses `body` any more.
pub(crate) fn run(
    pool: &Pool,
    chunks: usize,
    helpers: usize,
    body: &(dyn Fn(usize) -> ControlFlow<()> + Sync),
) -> usize {
    let helpers = helpers.min(chunks.saturating_sub(1));
    if helpers == 0 {
        return alone(chunks, body);
    }
    let pool = pool.here();
    let helpers = helpers.min(pool.threads() - 1);
    if helpers == 0 {
        return alone(chunks, body);
    }

    // SAFETY: the lifetime alone changes; `Run::work` says who may follow the pointer.
    let body = unsafe { transmute::<*const Body<'_>, *const Body<'static>>(body) };
    let run = Arc::new(Run::new(body, chunks, helpers, pool.room().cloned()));
    {
        let _closing = Closing(&run);
        let asked = run.room.as_ref().map_or(0, |room| room.ask(&run, helpers));
        run.invite(helpers - asked, |run, helpers| pool.spawn(move || help(run, helpers)));
        // SAFETY: `body` lives until this function returns.
        unsafe { run.work(0) };
    }
    if let Some(panic) = run.panic().take() {
        resume_unwind(panic);
    }
    run.workers.load(Ordering::Relaxed)
}

fn alone(chunks: usize, body: &Body<'_>) -> usize {
    let _float_env = FloatEnv::enter();
    let _ = (0..chunks).try_for_each(body);
    1
}

type Body<'a> = dyn Fn(usize) -> ControlFlow<()> + Sync + 'a;

/// Set in `Run::gate` once nobody may enter any more; the bits below count those inside.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// How long the caller looks for the last helper to leave before it sleeps: about what going to sleep and being woken
/// costs, so that neither choice is more than twice the better one.
const SPIN: Duration = Duration::from_micros(20);

/// What caller and helpers share. Helpers that start late find it closed, and free it if they are the last to hold it.
struct Run {
    /// Borrowed from the caller: dangling once the gate is closed and nobody inside.
    body: *const Body<'static>,
    begun: Instant,
    /// Where helpers wait behind it.
    room: Option<Arc<Room>>,
    /// A part of the chunks for each thread, which goes on with those of the others: so the next run finds in a thread's caches
    /// what this one left there, and a line that one core wrote is rarely another's to write.
    shares: Box<[Share]>,
    /// How many threads got a chunk.
    workers: AtomicUsize,
    /// Helpers inside, and `CLOSED`.
    gate: AtomicUsize,
    /// The first panic of a helper.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// Told, under the lock of `panic`, that the last helper left a closed gate.
    left: Condvar,
}

/// How long a helper waits for the next run at most. It does so no longer than the run took that it comes from, so that waiting is never
/// the most of what a thread does. A caller that computes one formula after another finds its helpers awake: waking one takes up to
/// 50 us, and a system may wake it on the core of the caller, where it gets nothing done as long as that one works.
const LONGEST_WAIT: Duration = Duration::from_millis(1);

/// Where helpers wait for the next run. Each of them is counted in `waiting` until a run asks for one, then there is a run in `asked`.
#[derive(Default)]
struct Room {
    waiting: AtomicUsize,
    /// How many are in `asked`.
    count: AtomicUsize,
    asked: Mutex<Vec<Arc<Run>>>,
}

impl Room {
    /// Asks up to `most` of those who wait to help; returns how many.
    fn ask(&self, run: &Arc<Run>, most: usize) -> usize {
        let claim = |waiting: usize| (waiting > 0).then(|| waiting.saturating_sub(most));
        let Ok(waiting) = self.waiting.fetch_update(Ordering::AcqRel, Ordering::Relaxed, claim) else { return 0 };
        let count = waiting.min(most);
        let mut asked = self.asked();
        asked.extend((0..count).map(|_| Arc::clone(run)));
        self.count.store(asked.len(), Ordering::Relaxed);
        count
    }

    fn take(&self) -> Option<Arc<Run>> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut asked = self.asked();
        let run = asked.pop();
        self.count.store(asked.len(), Ordering::Relaxed);
        run
    }

    /// Waits for a run that asks for help.
    fn wait(&self, time: Duration) -> Option<Arc<Run>> {
        thread_local!(static WAITS: Cell<bool> = const { Cell::new(false) });
        // What rayon has this thread do meanwhile may be to help another run.
        if WAITS.replace(true) {
            return None;
        }
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let start = Instant::now();
        let found = loop {
            let found = (0..64).find_map(|_| {
                std::hint::spin_loop();
                self.take()
            });
            if found.is_some() {
                break found;
            }
            let leave = |waiting: usize| waiting.checked_sub(1);
            // If all who wait are asked for, so is this one.
            if start.elapsed() >= time && self.waiting.fetch_update(Ordering::AcqRel, Ordering::Relaxed, leave).is_ok()
            {
                break None;
            }
            // Whatever else wants the thread has it. The core is not given away: two threads on one core would stay there.
            rayon::yield_now();
        };
        WAITS.set(false);
        found
    }

    fn asked(&self) -> MutexGuard<'_, Vec<Arc<Run>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a thread does for a run, for itself and `helpers - 1` others; then for those that follow.
fn help(run: Arc<Run>, helpers: usize) {
    run.help(helpers);
    let mut last = run;
    while let Some(room) = last.room.clone() {
        let time = last.begun.elapsed().min(LONGEST_WAIT);
        drop(last);
        let Some(next) = room.wait(time) else { return };
        next.help(1);
        last = next;
    }
}

/// Chunks up to `end`; in lines of the caches of its own, two of which processors fetch together.
#[repr(align(128))]
struct Share {
    /// The next one to be handed out.
    next: AtomicUsize,
    end: usize,
}

// SAFETY: `body` is `Sync`, so any thread may call it; the rest is `Send` and `Sync` by itself.
unsafe impl Send for Run {}
// SAFETY: as above.
unsafe impl Sync for Run {}

impl Run {
    /// A share for the caller and one for each of `helpers`.
    fn new(body: *const Body<'static>, chunks: usize, helpers: usize, room: Option<Arc<Room>>) -> Run {
        let first = |seat: usize| chunks / (helpers + 1) * seat + (chunks % (helpers + 1)).min(seat);
        let share = |seat: usize| Share { next: AtomicUsize::new(first(seat)), end: first(seat + 1) };
        Run {
            body,
            begun: Instant::now(),
            room,
            shares: (0..=helpers).map(share).collect(),
            workers: AtomicUsize::new(0),
            gate: AtomicUsize::new(0),
            panic: Mutex::new(None),
            left: Condvar::new(),
        }
    }

    /// Spawns two jobs that stand for half of `helpers` each. A helper invites the rest of its half: the caller pays for
    /// two at most, and a short run does not wake a wide pool.
    fn invite(self: &Arc<Run>, helpers: usize, spawn: impl Fn(Arc<Run>, usize)) {
        for helpers in [helpers.div_ceil(2), helpers / 2] {
            if helpers > 0 && self.has_chunks() {
                spawn(Arc::clone(self), helpers);
            }
        }
    }

    /// What a helper does, for itself and `helpers - 1` others.
    fn help(self: &Arc<Run>, helpers: usize) {
        let enter = |gate| (gate & CLOSED == 0).then_some(gate + 1);
        if self.gate.fetch_update(Ordering::Acquire, Ordering::Relaxed, enter).is_err() {
            return;
        }
        // A worker's spawn goes to its own pool, whichever that is.
        self.invite(helpers - 1, |run, helpers| rayon::spawn(move || help(run, helpers)));
        // SAFETY: this thread is inside the gate, which `Closing` waits for.
        let work = || unsafe { self.work(self.seat()) };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            self.stop();
            self.panic().get_or_insert(panic);
        }
        if self.gate.fetch_sub(1, Ordering::Release) == CLOSED | 1 {
            // The lock falls between the caller's look at the gate and its sleep, or after both.
            drop(self.panic());
            self.left.notify_one();
        }
    }

    /// # Safety
    /// The thread is the caller's, before it closed the gate, or is inside the gate: `body` is alive until it leaves.
    unsafe fn work(&self, seat: usize) {
        let _float_env = FloatEnv::enter();
        // SAFETY: this function's own promise.
        let body = unsafe { &*self.body };
        let (before, own) = self.shares.split_at(seat);
        let mut chunks = own.iter().chain(before).flat_map(|share| std::iter::from_fn(|| share.take())).peekable();
        if chunks.peek().is_some() {
            self.workers.fetch_add(1, Ordering::Relaxed);
        }
        for chunk in chunks {
            if body(chunk).is_break() {
                self.stop();
            }
        }
    }

    /// The share with which a helper begins, the same in each run if as many are invited.
    fn seat(&self) -> usize {
        1 + rayon::current_thread_index().unwrap_or(0) % (self.shares.len() - 1)
    }

    fn has_chunks(&self) -> bool {
        self.shares.iter().any(|share| share.next.load(Ordering::Relaxed) < share.end)
    }

    /// Hands out no further chunk.
    fn stop(&self) {
        self.shares.iter().for_each(|share| share.next.store(share.end, Ordering::Relaxed));
    }

    fn panic(&self) -> MutexGuard<'_, Option<Box<dyn Any + Send>>> {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets no helper in, and returns when the last one is out.
    fn close(&self) {
        let is_empty = || self.gate.load(Ordering::Acquire) == CLOSED;
        if self.gate.fetch_or(CLOSED, Ordering::AcqRel) == 0 {
            return;
        }
        let start = Instant::now();
        while start.elapsed() < SPIN {
            for _ in 0..32 {
                if is_empty() {
                    return;
                }
                std::hint::spin_loop();
            }
        }
        let mut lock = self.panic();
        while !is_empty() {
            lock = self.left.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Share {
    fn take(&self) -> Option<usize> {
        Some(self.next.fetch_add(1, Ordering::Relaxed)).filter(|chunk| *chunk < self.end)
    }
}

/// Ends the helpers' use of what the caller lent them, on return and on unwind.
struct Closing<'a>(&'a Run);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.stop();
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow::{Break, Continue};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
    use std::sync::{Arc, Barrier, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::{Pool, Room, Run, ThreadPool, ThreadPoolBuilder, run};

    const TURNS: usize = if cfg!(miri) { 3 } else { 300 };

    fn rayon_pool(threads: usize) -> Arc<ThreadPool> {
        Arc::new(ThreadPoolBuilder::new().num_threads(threads).build().unwrap())
    }

    /// Runs `chunks` chunks and asserts that each was had once.
    fn cover(pool: &Pool, chunks: usize, helpers: usize) {
        let had: Vec<AtomicUsize> = (0..chunks).map(|_| AtomicUsize::new(0)).collect();
        let workers = run(pool, chunks, helpers, &|chunk| {
            had[chunk].fetch_add(1, SeqCst);
            Continue(())
        });
        assert!(had.iter().all(|times| times.load(SeqCst) == 1));
        assert!((1..=pool.threads().min(helpers.saturating_add(1))).contains(&workers));
    }

    /// Waits for `flag`, which another thread is about to set.
    fn wait_for(flag: &AtomicBool) {
        while !flag.load(SeqCst) {
            //thread::yield_now();
        }
    }

    /// Blocks every thread of `pool` while `f` runs.
    fn while_blocked(pool: &ThreadPool, f: impl FnOnce()) {
        let threads = pool.current_num_threads();
        let gate = Arc::new(Barrier::new(threads + 1));
        for _ in 0..threads {
            let gate = Arc::clone(&gate);
            pool.spawn(move || {
                gate.wait();
                gate.wait();
            });
        }
        gate.wait();
        f();
        gate.wait();
    }

    #[test]
    fn each_chunk_is_had_once() {
        let mut pools: Vec<Pool> = (1..=5).map(|threads| Pool::own(threads).unwrap()).collect();
        pools.extend([Pool::current(), Pool::given(rayon_pool(3))]);
        for pool in &pools {
            for chunks in [0, 1, 2, 3, 100] {
                for helpers in [0, 1, 2, 7, usize::MAX] {
                    cover(pool, chunks, helpers);
                }
            }
            for _ in 0..TURNS {
                cover(pool, 9, usize::MAX);
            }
        }
    }

    #[test]
    fn threads_count_the_caller() {
        let threads = [0, 1, 2, 7].map(|threads| Pool::own(threads).unwrap().threads());
        assert_eq!(threads, [1, 1, 2, 7]);
        assert_eq!(Pool::given(rayon_pool(3)).threads(), 3);
        assert_eq!(rayon_pool(3).install(|| Pool::current().threads()), 3);
    }

    #[test]
    fn every_invited_helper_joins() {
        // Each chunk waits for all the others, so this ends only with as many threads as chunks.
        for threads in [2, 3, 4, 9] {
            let pool = Pool::own(threads).unwrap();
            let all = Barrier::new(threads);
            let workers = run(&pool, threads, threads - 1, &|_| {
                all.wait();
                Continue(())
            });
            assert_eq!(workers, threads);
        }
    }

    #[test]
    fn a_run_ends_while_every_pool_thread_is_blocked() {
        let threads = rayon_pool(3);
        let pool = Pool::given(Arc::clone(&threads));
        while_blocked(&threads, || (0..TURNS).for_each(|_| cover(&pool, 10, 2)));
        // The helpers of all those runs start now, find nothing, and the pool serves on.
        cover(&pool, 10, 2);
        assert_eq!(threads.install(|| 1), 1);
    }

    #[test]
    fn a_run_ends_inside_pool_tasks_and_nested() {
        let threads = rayon_pool(2);
        let given = Pool::given(Arc::clone(&threads));
        let current = Pool::current();
        for pool in [&given, &current] {
            threads.install(|| {
                cover(pool, 20, 1);
                rayon::join(|| cover(pool, 20, 1), || cover(pool, 20, 1));
            });
            let sum = AtomicUsize::new(0);
            run(pool, 6, 1, &|i| {
                run(pool, 6, 1, &|j| {
                    run(&current, 3, 1, &|k| {
                        sum.fetch_add(100 * i + 10 * j + k, SeqCst);
                        Continue(())
                    });
                    Continue(())
                });
                Continue(())
            });
            assert_eq!(sum.into_inner(), (100 * 15 + 10 * 15) * 18 + 3 * 36);
        }
    }

    #[test]
    fn many_threads_run_at_once() {
        let own = Pool::own(3).unwrap();
        let current = Pool::current();
        thread::scope(|scope| {
            for i in 0..if cfg!(miri) { 4 } else { 64 } {
                let pool = if i % 2 == 0 { &own } else { &current };
                scope.spawn(move || (0..TURNS).for_each(|turn| cover(pool, 1 + turn % 12, 1 + turn % 3)));
            }
        });
    }

    #[test]
    fn who_waits_is_asked_once() {
        let room = Room::default();
        let asker = Arc::new(Run::new(&|_| Continue(()), 1, 0, None));
        assert_eq!(room.ask(&asker, 3), 0);
        assert!(room.wait(Duration::ZERO).is_none());
        for waiting in 1..=3 {
            thread::scope(|scope| {
                let wait = || room.wait(Duration::from_secs(1000)).is_some();
                let found: Vec<_> = (0..waiting).map(|_| scope.spawn(wait)).collect();
                while room.waiting.load(SeqCst) < waiting {
                    thread::yield_now();
                }
                let asked = [room.ask(&asker, 1), room.ask(&asker, 5), room.ask(&asker, 5)];
                assert_eq!(asked, [1, waiting - 1, 0]);
                assert!(found.into_iter().all(|found| found.join().unwrap()));
            });
            assert!(room.take().is_none());
            assert_eq!(Arc::strong_count(&asker), 1);
        }
    }

    #[test]
    fn no_asker_is_lost_where_waits_end() {
        let (room, turns) = (Room::default(), 100 * TURNS);
        let asker = Arc::new(Run::new(&|_| Continue(()), 1, 0, None));
        let ended = AtomicBool::new(false);
        let (asked, helped) = thread::scope(|scope| {
            let wait = || {
                let mut helped = 0;
                while !ended.load(SeqCst) {
                    helped += usize::from(room.wait(Duration::ZERO).is_some());
                }
                helped
            };
            let helped = [scope.spawn(wait), scope.spawn(wait)];
            let asked: usize = (0..turns).map(|_| room.ask(&asker, 2)).sum();
            ended.store(true, SeqCst);
            (asked, helped.map(|helped| helped.join().unwrap()).iter().sum::<usize>())
        });
        assert_eq!(asked, helped);
        assert_eq!((room.waiting.into_inner(), room.count.into_inner()), (0, 0));
    }

    #[test]
    fn a_panic_of_a_helper_goes_on_in_the_caller() {
        let pool = Pool::own(2).unwrap();
        for _ in 0..TURNS {
            let caller = thread::current().id();
            let helped = AtomicBool::new(false);
            let chunks_had = AtomicUsize::new(0);
            let result = catch_unwind(AssertUnwindSafe(|| {
                run(&pool, 1_000_000, 1, &|_| {
                    if thread::current().id() != caller {
                        helped.store(true, SeqCst);
                        std::panic::resume_unwind(Box::new("helper"));
                    }
                    wait_for(&helped);
                    chunks_had.fetch_add(1, SeqCst);
                    Continue(())
                })
            }));
            assert_eq!(result.unwrap_err().downcast_ref(), Some(&"helper"));
            assert!(chunks_had.into_inner() < 1_000_000);
        }
        cover(&pool, 10, 1);
    }

    #[test]
    fn a_panic_of_the_caller_waits_for_the_helpers_inside() {
        let pool = Pool::own(2).unwrap();
        let caller = thread::current().id();
        let (inside, ended) = (AtomicBool::new(false), AtomicBool::new(false));
        let result = catch_unwind(AssertUnwindSafe(|| {
            run(&pool, 100, 1, &|_| {
                if thread::current().id() == caller {
                    wait_for(&inside);
                    std::panic::resume_unwind(Box::new("caller"));
                }
                inside.store(true, SeqCst);
                // Longer than the caller spins.
                thread::sleep(Duration::from_millis(30));
                ended.store(true, SeqCst);
                Continue(())
            })
        }));
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&"caller"));
        assert!(ended.into_inner());
    }

    #[test]
    fn a_break_hands_out_no_further_chunk() {
        for pool in [Pool::own(1).unwrap(), Pool::own(3).unwrap()] {
            let had = AtomicUsize::new(0);
            run(&pool, 1_000_000, 2, &|_| if had.fetch_add(1, SeqCst) >= 10 { Break(()) } else { Continue(()) });
            assert!((11..=13).contains(&had.into_inner()));
        }
    }

    #[test]
    fn a_late_helper_touches_nothing_of_the_caller() {
        let threads = rayon_pool(2);
        let pool = Pool::given(Arc::clone(&threads));
        let (sent, received) = mpsc::channel();
        while_blocked(&threads, || {
            let body = Box::new(move |_| {
                sent.send(()).unwrap();
                Continue(())
            });
            run(&pool, 5, 1, &*body);
        });
        // The body is gone, and its sender with it: were it called once more, the channel would show it.
        threads.install(|| ());
        assert_eq!(received.iter().count(), 5);
    }

    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[test]
    fn every_chunk_has_the_default_float_modes() {
        use crate::exec::float_env::hostile;
        let workers = ThreadPoolBuilder::new().num_threads(2).start_handler(|_| hostile::enter()).build().unwrap();
        let workers = Arc::new(workers);
        let pool = Pool::given(Arc::clone(&workers));
        let both = Barrier::new(2);
        hostile::within(|| {
            for chunks in [1, 2] {
                run(&pool, chunks, 1, &|_| {
                    if chunks == 2 {
                        both.wait();
                    }
                    assert_eq!(hostile::modes(), 0x1f80);
                    Continue(())
                });
            }
            assert_eq!(hostile::modes(), hostile::WORD);
        });
        assert!(workers.broadcast(|_| hostile::modes()).iter().all(|modes| *modes == hostile::WORD));
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    #[test]
    fn a_forked_process_has_helpers_of_its_own() {
        let test = "exec::pool::tests::fork_in_a_process_of_its_own";
        let program = std::env::current_exe().unwrap();
        let output = std::process::Command::new(program).args(["--exact", "--ignored", test]).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    #[test]
    #[ignore = "a fork would meet the threads and locks of other tests: run by the test above"]
    fn fork_in_a_process_of_its_own() {
        let pools = [Pool::own(2).unwrap(), Pool::given(rayon_pool(2))];
        for pool in &pools {
            let meet = || {
                let both = Barrier::new(2);
                run(pool, 2, 1, &|_| {
                    both.wait();
                    Continue(())
                })
            };
            // What rayon sets up once for all its threads must not be half done when the process forks.
            assert_eq!(meet(), 2);
            // SAFETY: the child uses nothing that another thread of this process may hold, and leaves by `_exit`.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let workers = meet();
                // SAFETY: ends the process.
                unsafe { libc::_exit(if workers == 2 { 0 } else { 1 }) };
            }
            let mut status = 1;
            // SAFETY: `child` is a child of this process, and `status` a local.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            assert_eq!(status, 0);
        }
    }
}
