//! Files of `suite/` to workloads: a formula, its arrays, the same for other engines, and what to make of it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use numlift::{DType, Schema};
use toml::{Table, Value};

use crate::array::Array;
use crate::workloads::Case;

/// What bounds a workload beyond all skill.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    /// Bytes to and from memory.
    Memory,
    /// Operations of the arithmetic units.
    Compute,
}

/// An array that the formula reads.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) dtype: DType,
    range: (f64, f64),
    /// The axis along which it rises evenly; random without one.
    axis: Option<usize>,
}

/// An array that the formula gives.
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) dtype: DType,
    /// One number for all elements.
    pub(crate) single: bool,
}

/// One workload.
pub(crate) struct Definition {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) limit: Limit,
    /// Floating-point operations an element, a fused multiply-add as two; 0 where a count says nothing.
    pub(crate) flops: usize,
    pub(crate) rank: usize,
    /// Elements of a row, where a matrix is not square.
    columns: Option<usize>,
    pub(crate) sizes: Vec<usize>,
    pub(crate) formula: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) scalars: Vec<(String, f64)>,
    pub(crate) outputs: Vec<Output>,
    /// How far another engine's results may be from ours, in ulps of the greater of the result and `scale`; negative: on average.
    pub(crate) ulp: i64,
    pub(crate) scale: f64,
    /// Of numlift's bits at [`Definition::checked_size`].
    pub(crate) checksum: Option<String>,
    pub(crate) analysis: String,
    /// What was tried where a peer is ahead.
    pub(crate) tried: Option<String>,
    /// The C function's body, if the workload has one.
    pub(crate) gcc: Option<String>,
}

/// Where memory is the limit: a call, what the second cache holds, and for all cores what the last one holds and what none does.
const MEMORY_SIZES: [usize; 4] = [1_000, 8_192, 1_000_000, 30_000_000];

/// Where it is not, an element costs the same beyond the second cache.
const COMPUTE_SIZES: [usize; 2] = [8_192, 1_000_000];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Every definition, by name of file.
pub(crate) fn all() -> Result<Vec<Definition>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite");
    let mut paths = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    paths
        .iter()
        .map(|path| Definition::read(path).map_err(|error| format!("{}: {error}", path.display()).into()))
        .collect()
}

impl Definition {
    pub(crate) fn read(path: &Path) -> Result<Definition> {
        let table: Table = fs::read_to_string(path)?.parse()?;
        let limit = match text(&table, "limit")?.as_str() {
            "memory" => Limit::Memory,
            "compute" => Limit::Compute,
            other => return Err(format!("`limit` is memory or compute, not {other}").into()),
        };
        let sizes = match (table.get("sizes"), limit) {
            (Some(sizes), _) => list(sizes)?.iter().map(|n| whole(Some(n), "sizes")).collect::<Result<Vec<_>>>()?,
            (None, Limit::Memory) => MEMORY_SIZES.to_vec(),
            (None, Limit::Compute) => COMPUTE_SIZES.to_vec(),
        };
        let scalars = match table.get("scalars") {
            Some(scalars) => scalars.as_table().ok_or("`scalars` is a table")?.clone(),
            None => Table::new(),
        };
        let scalars = scalars.iter().map(|(name, value)| Ok((name.clone(), number(Some(value), name)?)));
        Ok(Definition {
            path: path.to_owned(),
            name: text(&table, "name")?,
            limit,
            flops: whole(table.get("flops"), "flops")?,
            columns: table.get("columns").map(|columns| whole(Some(columns), "columns")).transpose()?,
            rank: if table.contains_key("rank") { whole(table.get("rank"), "rank")? } else { 1 },
            sizes,
            formula: text(&table, "formula")?,
            inputs: list(&table["inputs"])?.iter().map(input).collect::<Result<_>>()?,
            scalars: scalars.collect::<Result<_>>()?,
            outputs: list(&table["outputs"])?.iter().map(output).collect::<Result<_>>()?,
            ulp: table.get("ulp").and_then(Value::as_integer).ok_or("`ulp` is an integer")?,
            scale: if table.contains_key("scale") { number(table.get("scale"), "scale")? } else { 0.0 },
            checksum: table.get("checksum").and_then(Value::as_str).map(str::to_owned),
            analysis: text(&table, "analysis")?,
            tried: table.get("tried").and_then(Value::as_str).map(str::to_owned),
            gcc: table.get("peers").and_then(|peers| peers.get("gcc")).and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// The size whose bits have a checksum: the largest that is quick.
    pub(crate) fn checked_size(&self) -> usize {
        *self.sizes.iter().filter(|n| **n <= 1 << 20).max().expect("a definition has a small size")
    }

    pub(crate) fn shape(&self, n: usize) -> Vec<usize> {
        if let Some(columns) = self.columns {
            return vec![n / columns, columns];
        }
        let side = n.isqrt();
        assert!(self.rank == 1 || side * side == n, "a matrix of a definition is square");
        if self.rank == 1 { vec![n] } else { vec![side, side] }
    }

    /// Arrays for `n` elements; outputs one behind another.
    pub(crate) fn case(&self, n: usize) -> Case {
        let shape = self.shape(n);
        let inputs = self.inputs.iter().enumerate().map(|(k, input)| match input.axis {
            None => Array::random(input.dtype, n, input.range, k as u64 + 1),
            Some(axis) => ramp(input, &shape, axis),
        });
        let dtype = self.outputs[0].dtype;
        assert!(self.outputs.iter().all(|output| output.dtype == dtype), "outputs lie in one array");
        let len = self.outputs.iter().map(|output| if output.single { 1 } else { n }).sum();
        Case { inputs: inputs.collect(), output: Array::zeroed(dtype, len) }
    }

    pub(crate) fn schema(&self) -> Schema {
        let arrays =
            self.inputs.iter().fold(Schema::new(), |schema, input| schema.array(&input.name, input.dtype, self.rank));
        self.scalars.iter().fold(arrays, |schema, (name, _)| schema.scalar(name, DType::F64))
    }
}

fn ramp(input: &Input, shape: &[usize], axis: usize) -> Array {
    assert_eq!((input.dtype, shape.len()), (DType::F64, 2), "a ramp is a matrix of f64");
    let mut array = Array::zeroed(input.dtype, shape.iter().product());
    let (low, high) = input.range;
    for (k, x) in array.slice_mut::<f64>().iter_mut().enumerate() {
        let at = [k / shape[1], k % shape[1]][axis];
        *x = low + (high - low) * (at as f64 + 0.5) / shape[axis] as f64;
    }
    array
}

fn input(value: &Value) -> Result<Input> {
    let table = value.as_table().ok_or("an input is a table")?;
    Ok(Input {
        name: text(table, "name")?,
        dtype: dtype(table)?,
        range: (number(table.get("low"), "low")?, number(table.get("high"), "high")?),
        axis: table.get("axis").map(|axis| whole(Some(axis), "axis")).transpose()?,
    })
}

fn output(value: &Value) -> Result<Output> {
    let table = value.as_table().ok_or("an output is a table")?;
    let single = table.get("single").is_some_and(|single| single.as_bool() == Some(true));
    Ok(Output { name: text(table, "name")?, dtype: dtype(table)?, single })
}

/// By NumPy's long names, which the Python engines read too.
fn dtype(table: &Table) -> Result<DType> {
    Ok(match text(table, "dtype")?.as_str() {
        "float64" => DType::F64,
        "float32" => DType::F32,
        "int64" => DType::I64,
        "int32" => DType::I32,
        "uint32" => DType::U32,
        other => return Err(format!("no workload has arrays of {other}").into()),
    })
}

fn text(table: &Table, key: &str) -> Result<String> {
    Ok(table.get(key).and_then(Value::as_str).ok_or(format!("`{key}` is a string"))?.to_owned())
}

fn list(value: &Value) -> Result<&[Value]> {
    Ok(value.as_array().ok_or("a list is expected")?)
}

fn whole(value: Option<&Value>, key: &str) -> Result<usize> {
    let value = value.and_then(Value::as_integer).and_then(|value| usize::try_from(value).ok());
    Ok(value.ok_or(format!("`{key}` is a number from 0"))?)
}

fn number(value: Option<&Value>, key: &str) -> Result<f64> {
    Ok(value.and_then(Value::as_float).ok_or(format!("`{key}` is a number with a point"))?)
}
