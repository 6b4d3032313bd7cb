//! A seed to choices, and choices under which a case fails to fewer and smaller ones under which it still does.

/// What a case is made of: numbers below bounds, random or as they were before. The lower a number, the simpler what it chooses.
pub(crate) struct Choices {
    random: Random,
    /// Given for random numbers; 0 behind the last.
    given: Option<Vec<u32>>,
    made: Vec<u32>,
}

/// A generator of bits: Steele, Lea and Flood's SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Cases that are tried on the way to a small one.
const ATTEMPTS: usize = 2000;

impl Choices {
    pub(crate) fn of_seed(seed: u64) -> Choices {
        Choices { random: Random(seed), given: None, made: Vec::new() }
    }

    fn of_given(given: Vec<u32>) -> Choices {
        Choices { random: Random(0), given: Some(given), made: Vec::new() }
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let chosen = match &self.given {
            Some(given) => given.get(self.made.len()).map_or(0, |chosen| *chosen as usize % n),
            None => (self.random.bits() >> 33) as usize % n,
        };
        self.made.push(chosen as u32);
        chosen
    }

    /// Whether one case of `n` is met; no is simpler.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    /// The first is the simplest.
    pub(crate) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// Tries a case for each of so many seeds from `first` on.
///
/// # Panics
/// As one fails, with what `show` makes of the smallest case that was found from there.
pub(crate) fn check<T>(
    first: u64,
    count: u64,
    make: impl Fn(&mut Choices) -> T,
    test: impl Fn(&T) -> Result<(), String>,
    show: impl Fn(&T) -> String,
) {
    let fails = |choices: &mut Choices| {
        let case = make(choices);
        test(&case).err().map(|why| (case, why))
    };
    for seed in first..first + count {
        let mut choices = Choices::of_seed(seed.wrapping_mul(0xd134_2543_de82_ef95));
        if let Some(found) = fails(&mut choices) {
            println!("seed {seed} fails: {}\na smaller case is looked for", found.1);
            let (case, why) = smallest(choices.made, found, fails);
            panic!("seed {seed}: {why}\n{}", show(&case));
        }
    }
}

/// Leaves choices out and lowers them for as long as the case fails.
fn smallest<F>(mut made: Vec<u32>, mut found: F, fails: impl Fn(&mut Choices) -> Option<F>) -> F {
    let mut attempts = ATTEMPTS;
    let mut attempt = |given: Vec<u32>, made: &mut Vec<u32>, found: &mut F| {
        attempts = attempts.saturating_sub(1);
        let mut choices = Choices::of_given(given);
        let failed = (attempts > 0).then(|| fails(&mut choices)).flatten();
        let is_smaller = (choices.made.len(), &choices.made) < (made.len(), made);
        match failed {
            Some(failed) if is_smaller => {
                (*made, *found) = (choices.made, failed);
                true
            }
            Some(_) | None => false,
        }
    };
    loop {
        let mut is_done = true;
        for span in [64, 16, 8, 4, 3, 2, 1] {
            let mut at = made.len();
            while at > 0 {
                at = at.min(made.len()).saturating_sub(span);
                let given = [&made[..at], &made[made.len().min(at + span)..]].concat();
                is_done &= !attempt(given, &mut made, &mut found);
            }
        }
        for at in 0..made.len() {
            for lower in [0, 1, made.get(at).map_or(0, |chosen| chosen / 2)] {
                if made.get(at).is_some_and(|chosen| lower < *chosen) {
                    let mut given = made.clone();
                    given[at] = lower;
                    is_done &= !attempt(given, &mut made, &mut found);
                }
            }
        }
        if is_done {
            return found;
        }
    }
}
