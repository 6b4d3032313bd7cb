//! Constants and tables to the bytes behind the code.

use std::collections::HashMap;

use super::opcode::Width;

/// What the code reads by its distance.
#[derive(Debug)]
pub(super) struct Data {
    width: Width,
    pub(super) bytes: Vec<u8>,
    known: HashMap<u64, u32>,
}

impl Data {
    pub(super) fn new(width: Width) -> Data {
        Data { width, bytes: Vec::new(), known: HashMap::new() }
    }

    /// Where a vector of these 8 bytes, again and again, is.
    pub(super) fn constant(&mut self, bits: u64) -> u32 {
        *self.known.entry(bits).or_insert_with(|| {
            let at = self.bytes.len();
            (0..self.width.bytes() / 8).for_each(|_| self.bytes.extend_from_slice(&bits.to_le_bytes()));
            at as u32
        })
    }

    /// Where a table begins; elements of 8 bytes each.
    pub(super) fn table(&mut self, elements: &[u64]) -> u32 {
        let at = self.bytes.len();
        self.bytes.extend(elements.iter().flat_map(|element| element.to_le_bytes()));
        // Constants do not straddle cache lines.
        self.bytes.resize(self.bytes.len().next_multiple_of(self.width.bytes()), 0);
        at as u32
    }
}
