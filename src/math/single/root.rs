//! `rsqrt` of f32.

use crate::ir::{Builder, Value};

pub(crate) fn rsqrt(b: &mut Builder, x: Value) -> Value {
    let (one, root) = (b.f32(1.0), b.sqrt(x));
    b.div(one, root)
}
