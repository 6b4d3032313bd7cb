//! How many items there are to pieces for threads: a share for each, cut so that few ends come of it and none waits long for another.

use std::ops::Range;

use smallvec::SmallVec;

/// Items cut into a share for each thread, and each share at the same places. Of what is left of a share a piece takes half: the first ones are
/// long, so that a thread goes on in the order of memory, and the last ones short, so that threads end together.
pub(super) struct Pieces {
    len: usize,
    share: usize,
    /// Where the pieces of a share end.
    ends: SmallVec<[usize; 16]>,
}

/// What pieces are like.
pub(super) struct Bounds {
    /// They are multiples of so many items, but for the last one of a share.
    pub(super) unit: usize,
    /// Fewer items are not cut, unless the longest piece is shorter.
    pub(super) least: usize,
    pub(super) most: usize,
}

/// How many times a share is halved at most.
const HALVES: usize = 6;

impl Pieces {
    /// `len` items, one at least, for so many threads.
    pub(super) fn new(len: usize, threads: usize, bounds: &Bounds) -> Pieces {
        let up = |items: usize| items.max(1).checked_next_multiple_of(bounds.unit).unwrap_or(usize::MAX);
        let share = up(len.div_ceil(threads)).min(len);
        let most = up(bounds.most);
        let mut ends: SmallVec<[usize; 16]> = SmallVec::new();
        let (mut end, mut halves) = (0, 0);
        while end < share {
            let left = share - end;
            let is_cut = threads > 1 && halves < HALVES && left > bounds.least;
            let half = if is_cut { up(left.div_ceil(2)) } else { left };
            halves += usize::from(half <= most);
            end += half.min(most).min(left);
            ends.push(end);
        }
        Pieces { len, share, ends }
    }

    /// As many for each share, of which the last may be nothing.
    pub(super) fn count(&self) -> usize {
        self.len.div_ceil(self.share) * self.ends.len()
    }

    pub(super) fn range(&self, piece: usize) -> Range<usize> {
        let (share, k) = (piece / self.ends.len() * self.share, piece % self.ends.len());
        let start = if k == 0 { 0 } else { self.ends[k - 1] };
        let at = |end: usize| share.saturating_add(end).min(self.len);
        at(start)..at(self.ends[k])
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounds, Pieces};

    #[test]
    fn pieces_are_all_items_once() {
        for len in [1, 2, 3, 7, 64, 65, 1000, 4097, 1_000_000] {
            for threads in [1, 2, 3, 8, 64] {
                for (unit, least, most) in [(1, 1, 1), (1, 1, usize::MAX), (8, 100, 1000), (64, 1, 7), (64, 5000, 300)]
                {
                    if len / most.max(unit) > 100_000 {
                        continue;
                    }
                    let pieces = Pieces::new(len, threads, &Bounds { unit, least, most });
                    let mut end = 0;
                    for piece in 0..pieces.count() {
                        let range = pieces.range(piece);
                        assert_eq!(range.start, end);
                        assert!(range.len() <= most.next_multiple_of(unit.min(most)).max(unit));
                        assert!(range.start.is_multiple_of(unit) || range.is_empty());
                        end = range.end;
                    }
                    assert_eq!(end, len, "{threads} threads, {unit}, {least}, {most}");
                }
            }
        }
    }

    #[test]
    fn shares_are_halved() {
        let lengths = |threads, least, most| {
            let pieces = Pieces::new(1024, threads, &Bounds { unit: 8, least, most });
            (0..pieces.count()).map(|piece| pieces.range(piece).len()).collect::<Vec<_>>()
        };
        assert_eq!(lengths(1, 1, usize::MAX), [1024]);
        assert_eq!(lengths(1, 1, 512), [512, 512]);
        assert_eq!(lengths(2, 64, usize::MAX), [256, 128, 64, 64, 256, 128, 64, 64]);
        assert_eq!(lengths(2, 64, 200), [200, 160, 80, 40, 32, 200, 160, 80, 40, 32]);
        assert_eq!(lengths(2, 600, usize::MAX), [512, 512]);
        assert_eq!(lengths(3, 344, usize::MAX), [344, 344, 336]);
    }
}
