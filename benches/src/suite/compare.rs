//! Results of two engines to how far they are apart.

use numlift::{DType, Element};

use crate::array::Array;

/// The greatest distance, in units of the last place of the greater of a number and `scale`; for integers any difference is infinite.
pub(crate) fn distance(expected: &Array, found: &Array, scale: f64) -> f64 {
    match expected.dtype() {
        DType::F64 => floats(expected.slice::<f64>(), found.slice(), scale, f64::EPSILON),
        DType::F32 => floats(expected.slice::<f32>(), found.slice(), scale, f64::from(f32::EPSILON)),
        _ if expected.bytes() == found.bytes() => 0.0,
        _ => f64::INFINITY,
    }
}

fn floats<T: Element + Into<f64>>(expected: &[T], found: &[T], scale: f64, epsilon: f64) -> f64 {
    let pairs = expected.iter().zip(found).map(|(x, y)| ((*x).into(), (*y).into()));
    let apart = |(x, y): (f64, f64)| {
        if x == y || (x.is_nan() && y.is_nan()) {
            return 0.0;
        }
        // Below the normal numbers an ulp does not shrink.
        let unit = epsilon * x.abs().max(scale).max(f64::MIN_POSITIVE);
        let apart = (x - y).abs() / unit;
        if apart.is_nan() { f64::INFINITY } else { apart }
    };
    pairs.map(apart).fold(0.0, f64::max)
}

/// The difference of the averages of integers, as a share of the first.
pub(crate) fn averages(expected: &Array, found: &Array) -> f64 {
    let sum = |array: &Array| array.slice::<i64>().iter().sum::<i64>() as f64;
    (sum(expected) - sum(found)).abs() / sum(expected)
}

/// FNV-1a of the bytes, 64 bits.
pub(crate) fn checksum(array: &Array) -> String {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", array.bytes().iter().fold(0xcbf2_9ce4_8422_2325, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let array = |x: &[f64]| {
            let mut array = Array::zeroed(DType::F64, x.len());
            array.slice_mut::<f64>().copy_from_slice(x);
            array
        };
        let one_up = f64::from_bits(1.0_f64.to_bits() + 1);
        assert_eq!(distance(&array(&[1.0, f64::NAN]), &array(&[one_up, f64::NAN]), 0.0), 1.0);
        assert_eq!(distance(&array(&[1.0]), &array(&[f64::NAN]), 0.0), f64::INFINITY);
        assert_eq!(distance(&array(&[1.0]), &array(&[one_up]), 4.0), 0.25);
    }

    #[test]
    fn checksum_of_nothing_is_the_published_basis() {
        assert_eq!(checksum(&Array::zeroed(DType::F64, 0)), "cbf29ce484222325");
    }
}
