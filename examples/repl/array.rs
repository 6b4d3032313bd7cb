//! Vectors of one Rust type to an array of any dtype and shape, owned.

use std::fmt;

use numlift::DType;

/// An owned array in C order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    shape: Vec<usize>,
    data: Data,
}

/// Runs `$body` with the alias `$rust` for the Rust type of the dtype `$dtype`.
macro_rules! with_type {
    ($dtype:expr, $rust:ident => $body:expr) => {
        match $dtype {
            DType::Bool => with_type!(@ bool, $rust, $body),
            DType::I8 => with_type!(@ i8, $rust, $body),
            DType::I16 => with_type!(@ i16, $rust, $body),
            DType::I32 => with_type!(@ i32, $rust, $body),
            DType::I64 => with_type!(@ i64, $rust, $body),
            DType::U8 => with_type!(@ u8, $rust, $body),
            DType::U16 => with_type!(@ u16, $rust, $body),
            DType::U32 => with_type!(@ u32, $rust, $body),
            DType::U64 => with_type!(@ u64, $rust, $body),
            DType::F32 => with_type!(@ f32, $rust, $body),
            DType::F64 => with_type!(@ f64, $rust, $body),
            other => unreachable!("the REPL knows every dtype, not {other}"),
        }
    };
    (@ $type:ty, $rust:ident, $body:expr) => {{
        type $rust = $type;
        $body
    }};
}
pub(crate) use with_type;

/// Runs `$body` with `$values` bound to the vector inside `$data`, whatever its type.
macro_rules! with_values {
    ($data:expr, $values:ident => $body:expr) => {
        match $data {
            Data::Bool($values) => $body,
            Data::I8($values) => $body,
            Data::I16($values) => $body,
            Data::I32($values) => $body,
            Data::I64($values) => $body,
            Data::U8($values) => $body,
            Data::U16($values) => $body,
            Data::U32($values) => $body,
            Data::U64($values) => $body,
            Data::F32($values) => $body,
            Data::F64($values) => $body,
        }
    };
}
pub(crate) use with_values;

/// A number of any dtype; a bool is 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Number::Int(x) => x as f64,
            Number::Float(x) => x,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Int(x) => write!(f, "{x}"),
            Number::Float(x) => write!(f, "{x:?}"),
        }
    }
}

/// A Rust type that an [`Array`] can hold.
pub(crate) trait Stored: numlift::Element {
    fn to_number(self) -> Number;
    /// A number that this type holds is kept.
    fn from_number(number: Number) -> Self;
    fn to_f64(self) -> f64 {
        self.to_number().to_f64()
    }
}

macro_rules! stored {
    ($($dtype:ident $rust:ty, |$x:ident| $to:expr, |$n:ident| $from:expr;)+) => {
        /// The elements of an array.
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) enum Data { $($dtype(Vec<$rust>),)+ }

        $(impl From<Vec<$rust>> for Data {
            fn from(values: Vec<$rust>) -> Data {
                Data::$dtype(values)
            }
        }

        impl Stored for $rust {
            fn to_number(self) -> Number {
                let $x = self;
                $to
            }
            fn from_number($n: Number) -> $rust {
                $from
            }
        })+

        impl Array {
            pub(crate) fn dtype(&self) -> DType {
                match self.data { $(Data::$dtype(_) => DType::$dtype,)+ }
            }
        }
    };
}

stored! {
    Bool bool, |x| Number::Int(i128::from(x)), |n| n.to_f64() != 0.0;
    I8 i8, |x| Number::Int(i128::from(x)), |n| integer(n) as i8;
    I16 i16, |x| Number::Int(i128::from(x)), |n| integer(n) as i16;
    I32 i32, |x| Number::Int(i128::from(x)), |n| integer(n) as i32;
    I64 i64, |x| Number::Int(i128::from(x)), |n| integer(n) as i64;
    U8 u8, |x| Number::Int(i128::from(x)), |n| integer(n) as u8;
    U16 u16, |x| Number::Int(i128::from(x)), |n| integer(n) as u16;
    U32 u32, |x| Number::Int(i128::from(x)), |n| integer(n) as u32;
    U64 u64, |x| Number::Int(i128::from(x)), |n| integer(n) as u64;
    F32 f32, |x| Number::Float(f64::from(x)), |n| n.to_f64() as f32;
    F64 f64, |x| Number::Float(x), |n| n.to_f64();
}

fn integer(number: Number) -> i128 {
    match number {
        Number::Int(x) => x,
        Number::Float(x) => x as i128,
    }
}

impl Array {
    /// # Panics
    /// If the shape has not as many elements as `values`.
    pub(crate) fn new(shape: impl Into<Vec<usize>>, values: impl Into<Data>) -> Array {
        let array = Array { shape: shape.into(), data: values.into() };
        assert_eq!(array.shape.iter().product::<usize>(), array.len(), "a shape has an element for each value");
        array
    }

    /// One-dimensional.
    pub(crate) fn vector(values: impl Into<Data>) -> Array {
        let data = values.into();
        let len = with_values!(&data, values => values.len());
        Array { shape: vec![len], data }
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn data(&self) -> &Data {
        &self.data
    }

    /// The number of elements.
    pub(crate) fn len(&self) -> usize {
        with_values!(&self.data, values => values.len())
    }

    /// The element of an array that has just one.
    pub(crate) fn number(&self) -> Option<Number> {
        with_values!(&self.data, values => match values.as_slice() {
            [x] => Some(x.to_number()),
            _ => None,
        })
    }

    /// Every element in C order, rounded to f64.
    pub(crate) fn to_f64(&self) -> Vec<f64> {
        with_values!(&self.data, values => values.iter().map(|x| x.to_f64()).collect())
    }

    /// The dtype and the shape as they are shown: `f64 (3, 4)`; of a scalar the dtype alone.
    pub(crate) fn kind(&self) -> String {
        match self.shape.as_slice() {
            [] => self.dtype().to_string(),
            [n] => format!("{} ({n},)", self.dtype()),
            shape => {
                let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
                format!("{} ({})", self.dtype(), shape.join(", "))
            }
        }
    }
}
