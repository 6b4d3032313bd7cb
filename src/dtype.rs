//! The element types of arrays, and what two of them promote to.

use std::fmt;

/// The type of one element of an array: its layout in memory and its arithmetic.
///
/// ```
/// use numlift::DType;
/// assert_eq!(DType::from_name("float32"), Some(DType::F32));
/// assert_eq!(DType::I32.promote(DType::F32), DType::F64);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DType {
    /// True or false; one byte, 0 or 1.
    Bool,
    /// 8-bit signed integer.
    I8,
    /// 16-bit signed integer.
    I16,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer.
    I64,
    /// 8-bit unsigned integer.
    U8,
    /// 16-bit unsigned integer.
    U16,
    /// 32-bit unsigned integer.
    U32,
    /// 64-bit unsigned integer.
    U64,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
}

impl DType {
    /// Every dtype, in the order of declaration.
    pub const ALL: [DType; 11] = [
        DType::Bool,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::F32,
        DType::F64,
    ];

    /// The size of one element, in bytes.
    pub const fn size(self) -> usize {
        match self {
            DType::Bool | DType::I8 | DType::U8 => 1,
            DType::I16 | DType::U16 => 2,
            DType::I32 | DType::U32 | DType::F32 => 4,
            DType::I64 | DType::U64 | DType::F64 => 8,
        }
    }

    /// The size of one element, in bits (8 for bool).
    pub(crate) const fn bits(self) -> u32 {
        self.size() as u32 * 8
    }

    /// The name in the language: `bool`, `i8` ... `f64`.
    pub const fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::I8 => "i8",
            DType::I16 => "i16",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::U8 => "u8",
            DType::U16 => "u16",
            DType::U32 => "u32",
            DType::U64 => "u64",
            DType::F32 => "f32",
            DType::F64 => "f64",
        }
    }

    /// NumPy's name: `bool`, `int8` ... `float64`.
    pub const fn numpy_name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::I8 => "int8",
            DType::I16 => "int16",
            DType::I32 => "int32",
            DType::I64 => "int64",
            DType::U8 => "uint8",
            DType::U16 => "uint16",
            DType::U32 => "uint32",
            DType::U64 => "uint64",
            DType::F32 => "float32",
            DType::F64 => "float64",
        }
    }

    /// The dtype of that name, short or NumPy's.
    pub fn from_name(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|dtype| dtype.name() == name || dtype.numpy_name() == name)
    }

    /// Whether this is `f32` or `f64`.
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }

    /// Whether this is an integer, signed or not; `bool` is none.
    pub const fn is_int(self) -> bool {
        !self.is_float() && !matches!(self, DType::Bool)
    }

    /// Whether this is a signed integer.
    pub const fn is_signed_int(self) -> bool {
        matches!(self, DType::I8 | DType::I16 | DType::I32 | DType::I64)
    }

    /// Whether this is an unsigned integer.
    pub const fn is_unsigned_int(self) -> bool {
        matches!(self, DType::U8 | DType::U16 | DType::U32 | DType::U64)
    }

    /// The signed integer of that many bytes.
    pub(crate) const fn signed(size: usize) -> DType {
        match size {
            1 => DType::I8,
            2 => DType::I16,
            4 => DType::I32,
            _ => DType::I64,
        }
    }

    /// The unsigned integer of that many bytes.
    pub(crate) const fn unsigned(size: usize) -> DType {
        match size {
            1 => DType::U8,
            2 => DType::U16,
            4 => DType::U32,
            _ => DType::U64,
        }
    }

    /// The least and the greatest value of an integer dtype; 0 and 1 of bool.
    ///
    /// # Panics
    /// On a float.
    pub(crate) const fn int_range(self) -> (i128, i128) {
        assert!(!self.is_float(), "a float has no integer range");
        let bits = self.bits();
        match self {
            DType::Bool => (0, 1),
            _ if self.is_signed_int() => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
            _ => (0, (1 << bits) - 1),
        }
    }

    /// The dtype that an operation on both computes in: NumPy 2's `result_type`.
    pub const fn promote(self, other: DType) -> DType {
        let (a, b) = (self, other);
        if a as u8 == b as u8 || matches!(b, DType::Bool) {
            return a;
        }
        if matches!(a, DType::Bool) {
            return b;
        }
        let size = if a.size() > b.size() { a.size() } else { b.size() };
        match (a.is_float(), b.is_float()) {
            (true, true) => DType::F64,
            (true, false) => promote_float(a, b),
            (false, true) => promote_float(b, a),
            (false, false) if a.is_signed_int() && b.is_signed_int() => DType::signed(size),
            (false, false) if a.is_unsigned_int() && b.is_unsigned_int() => DType::unsigned(size),
            (false, false) => {
                let (signed, unsigned) = if a.is_signed_int() { (a, b) } else { (b, a) };
                if signed.size() > unsigned.size() {
                    signed
                } else if unsigned.size() == 8 {
                    DType::F64
                } else {
                    DType::signed(unsigned.size() * 2)
                }
            }
        }
    }
}

/// `f32` holds the integers of up to 16 bits exactly.
const fn promote_float(float: DType, int: DType) -> DType {
    if int.size() > 2 { DType::F64 } else { float }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A Rust type that is stored in arrays. Sealed: its layout is that of [`DTYPE`](Element::DTYPE).
///
/// ```
/// use numlift::{DType, Element};
/// assert_eq!(<u16 as Element>::DTYPE, DType::U16);
/// ```
pub trait Element: Copy + Default + PartialEq + fmt::Debug + Send + Sync + sealed::Sealed + 'static {
    /// The dtype that this Rust type is.
    const DTYPE: DType;

    /// The bits, zero-extended.
    #[doc(hidden)]
    fn to_bits64(self) -> u64;

    /// The value of which these are the bits; what does not fit is cut off.
    #[doc(hidden)]
    fn from_bits64(bits: u64) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! elements {
    ($($rust:ty = $dtype:ident, |$value:ident| $to:expr, |$bits:ident| $from:expr;)+) => { $(
        impl sealed::Sealed for $rust {}
        impl Element for $rust {
            const DTYPE: DType = DType::$dtype;
            fn to_bits64(self) -> u64 { let $value = self; $to }
            fn from_bits64($bits: u64) -> Self { $from }
        }
    )+ };
}

elements! {
    bool = Bool, |x| u64::from(x), |b| b != 0;
    i8 = I8, |x| u64::from(x as u8), |b| b as i8;
    i16 = I16, |x| u64::from(x as u16), |b| b as i16;
    i32 = I32, |x| u64::from(x as u32), |b| b as i32;
    i64 = I64, |x| x as u64, |b| b as i64;
    u8 = U8, |x| u64::from(x), |b| b as u8;
    u16 = U16, |x| u64::from(x), |b| b as u16;
    u32 = U32, |x| u64::from(x), |b| b as u32;
    u64 = U64, |x| x, |b| b;
    f32 = F32, |x| u64::from(x.to_bits()), |b| f32::from_bits(b as u32);
    f64 = F64, |x| x.to_bits(), |b| f64::from_bits(b);
}
