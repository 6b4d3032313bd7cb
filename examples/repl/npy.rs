//! Files in NumPy's `.npy` format to arrays, and back.

use std::path::Path;

use numlift::{DType, Element};

use crate::array::{Array, Data, with_type, with_values};
use crate::failure::Result;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads a file of version 1, 2 or 3, either byte order, C or Fortran order.
pub(crate) fn load(path: &Path) -> Result<Array> {
    let bytes = std::fs::read(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    Ok(decode(&bytes).map_err(|message| format!("`{}` {message}", path.display()))?)
}

/// Writes version 1, little-endian, C order: byte for byte what `numpy.save` writes.
pub(crate) fn save(path: &Path, array: &Array) -> Result<()> {
    Ok(std::fs::write(path, encode(array))
        .map_err(|error| format!("`{}` cannot be written: {error}", path.display()))?)
}

fn decode(bytes: &[u8]) -> std::result::Result<Array, String> {
    const SHORT: &str = "ends within its header";
    let rest = bytes.strip_prefix(MAGIC).ok_or("is no .npy file")?;
    let (version, rest) = rest.split_at_checked(2).ok_or(SHORT)?;
    let (length, rest) = match version[0] {
        1 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_le_bytes(*length)), rest)),
        2 | 3 => rest.split_first_chunk().map(|(length, rest)| (u32::from_le_bytes(*length) as usize, rest)),
        other => return Err(format!("is of .npy version {other}, expected 1, 2 or 3")),
    }
    .ok_or(SHORT)?;
    let (header, body) = rest.split_at_checked(length).ok_or(SHORT)?;
    let header = String::from_utf8_lossy(header);
    let field = |name: &str| {
        let at = header.find(&format!("'{name}':")).ok_or(format!("has no `{name}` in its header"))?;
        Ok::<&str, String>(header[at + name.len() + 3..].trim_start())
    };

    let (dtype, big_endian) = element(field("descr")?)?;
    let fortran = field("fortran_order")?.starts_with("True");
    let shape = extents(field("shape")?).ok_or("has a shape that cannot be read")?;
    let size = shape.iter().try_fold(dtype.size(), |size, extent| size.checked_mul(*extent));
    let size = size.ok_or("has a shape that is too large")?;
    let body = body.get(..size).ok_or(format!("has {} bytes of data, expected {size}", body.len()))?;
    Ok(with_type!(dtype, T => {
        let values: Vec<T> = body.chunks_exact(dtype.size()).map(|bytes| read(bytes, big_endian)).collect();
        let values = if fortran { to_c_order(&values, &shape) } else { values };
        Array::new(shape, values)
    }))
}

/// `'<f8', ...`: the dtype, and whether its bytes are swapped.
fn element(text: &str) -> std::result::Result<(DType, bool), String> {
    let Some(descr) = text.strip_prefix('\'').and_then(|text| text.split('\'').next()) else {
        return Err("holds records of several fields; expected numbers or bools".to_owned());
    };
    let (order, code) = descr.split_at_checked(1).unwrap_or(("", ""));
    let dtype = match code {
        "b1" => DType::Bool,
        "i1" => DType::I8,
        "i2" => DType::I16,
        "i4" => DType::I32,
        "i8" => DType::I64,
        "u1" => DType::U8,
        "u2" => DType::U16,
        "u4" => DType::U32,
        "u8" => DType::U64,
        "f4" => DType::F32,
        "f8" => DType::F64,
        _ => {
            return Err(format!("holds elements of type `{descr}`; expected bool, int8 to uint64, float32 or float64"));
        }
    };
    Ok((dtype, order == ">" || (order == "=" && cfg!(target_endian = "big"))))
}

/// `(3, 4), ...`: the numbers in the parentheses.
fn extents(text: &str) -> Option<Vec<usize>> {
    let inside = text.strip_prefix('(')?.split_once(')')?.0;
    inside.split(',').map(str::trim).filter(|extent| !extent.is_empty()).map(|extent| extent.parse().ok()).collect()
}

fn read<T: Element>(bytes: &[u8], big_endian: bool) -> T {
    let place = |(bits, byte): (u64, &u8)| (bits << 8) | u64::from(*byte);
    let bits = match big_endian {
        true => bytes.iter().fold(0, |bits, byte| place((bits, byte))),
        false => bytes.iter().rev().fold(0, |bits, byte| place((bits, byte))),
    };
    T::from_bits64(bits)
}

fn to_c_order<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
    let mut index = vec![0; shape.len()];
    let mut ordered = Vec::with_capacity(values.len());
    for _ in values {
        let at = index.iter().zip(shape).rev().fold(0, |at, (index, extent)| at * extent + index);
        ordered.push(values[at]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    ordered
}

fn encode(array: &Array) -> Vec<u8> {
    let dtype = array.dtype();
    let kind = match dtype {
        DType::Bool => 'b',
        dtype if dtype.is_float() => 'f',
        dtype if dtype.is_signed_int() => 'i',
        _ => 'u',
    };
    let order = if dtype.size() == 1 { '|' } else { '<' };
    let shape = match array.shape() {
        [n] => format!("({n},)"),
        shape => format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    };
    let mut header =
        format!("{{'descr': '{order}{kind}{}', 'fortran_order': False, 'shape': {shape}, }}", dtype.size());
    // As numpy does, room for a longer first axis; then the data begin at a multiple of 64.
    let grown = array.shape().first().map_or(0, |rows| 21 - rows.to_string().len());
    header.push_str(&" ".repeat(grown));
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');

    let mut bytes = [MAGIC, &[1, 0]].concat();
    bytes.extend(u16::try_from(header.len()).expect("a header is short").to_le_bytes());
    bytes.extend(header.as_bytes());
    with_values!(array.data(), values => {
        bytes.extend(values.iter().flat_map(|x| x.to_bits64().to_le_bytes().into_iter().take(dtype.size())));
    });
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex")).collect()
    }

    /// Lines of `dtype shape bits-in-C-order file`, the bits joined by commas, the file in hex.
    #[test]
    fn files_that_numpy_wrote_are_read_and_written_back() {
        let mut count = 0;
        for line in include_str!("../../tests/data/npy.txt").lines() {
            let [name, dtype, shape, bits, file] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let shape: Vec<usize> = shape.split(',').filter_map(|extent| extent.parse().ok()).collect();
            let bits: Vec<u64> =
                bits.split(',').filter(|bits| *bits != "-").map(|b| u64::from_str_radix(b, 16).expect("hex")).collect();
            let array = decode(&bytes(file)).expect(name);
            assert_eq!((array.dtype().name(), array.shape()), (dtype, &shape[..]), "{name}");
            with_values!(array.data(), values => {
                assert_eq!(values.iter().map(|x| x.to_bits64()).collect::<Vec<_>>(), bits, "{name}");
            });
            if name == "save" {
                assert_eq!(encode(&array), bytes(file), "{dtype} {shape:?}");
            }
            count += 1;
        }
        assert!(count > 40, "only {count} files");
    }

    #[test]
    fn what_is_no_array_of_numbers_is_refused_in_words() {
        let file = |header: &str| {
            let mut file = b"\x93NUMPY\x01\x00".to_vec();
            file.extend((header.len() as u16).to_le_bytes());
            file.extend(header.as_bytes());
            file
        };
        let message = |bytes: &[u8]| decode(bytes).expect_err("no array");
        assert_eq!(message(b"PK\x03\x04"), "is no .npy file");
        assert_eq!(message(b"\x93NUMPY\x01"), "ends within its header");
        assert_eq!(message(b"\x93NUMPY\x09\x00"), "is of .npy version 9, expected 1, 2 or 3");
        let complex = file("{'descr': '<c16', 'fortran_order': False, 'shape': (3,), }");
        assert!(message(&complex).starts_with("holds elements of type `<c16`; expected bool"));
        let records = file("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (3,), }");
        assert!(message(&records).starts_with("holds records"));
        let short = file("{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }");
        assert_eq!(message(&short), "has 0 bytes of data, expected 12");
        let huge = file("{'descr': '<i4', 'fortran_order': False, 'shape': (9223372036854775807, 9), }");
        assert_eq!(message(&huge), "has a shape that is too large");
    }

    #[test]
    fn an_array_survives_the_file() {
        let array = Array::new([2, 2], vec![1.5_f32, -0.0, f32::INFINITY, 3.0]);
        assert_eq!(decode(&encode(&array)), Ok(array));
        assert!(matches!(decode(&encode(&Array::vector(Vec::<bool>::new()))).expect("empty").data(), Data::Bool(_)));
    }
}
