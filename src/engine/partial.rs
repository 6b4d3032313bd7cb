//! Reductions of parts of an array to states that merge: what a system needs that spreads its data over machines.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::kernel::{Formula, Kernel};
use super::reduce;
use super::run::{self, Inputs, Run};
use super::variant::{Part, Variant};
use crate::args::{Args, Outputs, Stats};
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{self, Input, Job, Reducing, Target};
use crate::ir::Fold;
use crate::lower::ParamType;
use crate::source::Span;
use crate::strip::Source;
use crate::view::{Buffer, MAX_RANK, ViewMut, element_count};

/// Elements of a block, the unit of the order in which sums are added.
const BLOCK: u64 = exec::BLOCK as u64;

/// What the reductions of a formula come to over a part of the elements, as [`Kernel::partial`] gives it.
///
/// States of parts that follow one another merge, and the last one [`finish`](Partial::finish)es to the outputs. Where every
/// part but the last has a multiple of 4,096 elements, they are bit for bit those of one run over all of them. A state has
/// an accumulator for each 4,096 elements and each reduction. As bytes it may be kept and sent.
///
/// ```
/// use numlift::{Args, Engine, Partial};
/// let kernel = Engine::new()?.compile("sqrt(sum(x * x)) + mean(x)")?;
/// let x: Vec<f64> = (0..10_000).map(f64::from).collect();
/// let mut state = kernel.partial(Args::new().input("x", &x[..8192]))?;
/// let sent = kernel.partial(Args::new().input("x", &x[8192..]))?.to_bytes();
/// state.merge(&Partial::from_bytes(&kernel, &sent)?)?;
/// let whole = kernel.eval(Args::new().input("x", &x))?.into_vec::<f64>()?;
/// assert_eq!(state.finish()?.into_vec::<f64>()?, whole);
/// # Ok::<(), numlift::Error>(())
/// ```
#[derive(Clone)]
pub struct Partial {
    kernel: Kernel,
    variant: Arc<Variant>,
    /// Elements so far.
    len: u64,
    /// The bits of each parameter that is one value; 0 of the others.
    scalars: Vec<u64>,
    /// Of each total the accumulators of its blocks.
    totals: Vec<Vec<u8>>,
}

impl Kernel {
    /// Runs the reductions of the formula over a part of the elements, to be [merged](Partial::merge) with others.
    ///
    /// The formula's outputs must be single values, computed from sums, products, extremes, counts and truths of all
    /// elements: `sqrt(sum(x * x))`, `mean(x)`, `dot(a, b)`; not `std(x)`, whose second pass needs the mean of all.
    ///
    /// # Errors
    /// As [`run`](Kernel::run); if the formula is not of that kind.
    pub fn partial(&self, mut args: Args<'_>) -> Result<Partial, Error> {
        let formula = &*self.0;
        let matched = args.matched(&formula.param_names, &formula.output_names)?;
        formula.refuse_outputs(&matched, "partial")?;
        let (params, inputs) = formula.given(&matched.inputs, &[])?;
        let variant = formula.prepared(&params)?;
        check_kind(formula, &variant)?;
        let this = Run { formula, lowered: &variant.lowered, params: &variant.params, inputs: &inputs };
        this.check_ranges()?;
        this.check_gathered(false)?;
        let shapes = this.shapes(&[])?;
        let stop = formula.stop(&variant.lowered, matched.ends.cancel, matched.ends.deadline);
        let resources = run::resources(formula, &variant.lowered, &stop);
        let mut totals = vec![Vec::new(); variant.totals.len()];
        let mut len = None;
        let unlike = "the reductions of the formula are of different shapes, which parts of them cannot tell";
        for part in variant.stages.iter().filter(|part| !part.totals.is_empty()) {
            let reduction = &variant.totals[part.totals[0] as usize].reduction;
            let domain = &*shapes[reduction.domain as usize];
            let elements = element_count(domain, DType::U8)? as u64;
            if *len.get_or_insert(elements) != elements {
                return Err(not_mergeable(formula, unlike, None));
            }
            let between = |total: &u32| reduce::between(&variant.totals[*total as usize], domain);
            let bytes = part.totals.iter().map(between).sum::<Result<u128>>()?;
            this.check_memory("the blocks take", bytes)?;
            let mut results = vec![[0_u8; 8]; part.totals.len()];
            let target = |(total, result)| target(&variant, total, result);
            let mut targets: Vec<Target<'_>> = part.totals.iter().copied().zip(&mut results).map(target).collect();
            let job = Reducing {
                inputs: &inputs,
                domain,
                axes: reduction.axes,
                is_scan: false,
                outputs: &mut [],
                totals: &mut targets,
                sizes: &[],
            };
            let (_, blocks) = exec::blocks(&part.program, job, &resources)?;
            for (total, blocks) in part.totals.iter().zip(blocks) {
                totals[*total as usize] = blocks;
            }
        }
        let sizes = this.sizes(&shapes)?;
        if sizes.iter().any(|size| Some(*size as u64) != len) {
            return Err(not_mergeable(formula, unlike, None));
        }
        let scalar = |input: &Input<'_>| match input {
            Input::Scalar(bits) => *bits,
            Input::Array(_) | Input::InPlace(_) => 0,
        };
        let scalars = inputs.iter().map(scalar).collect();
        Ok(Partial { kernel: self.clone(), variant, len: len.unwrap_or(0), scalars, totals })
    }
}

/// Eight bytes as the place of a total.
fn target<'b>(variant: &Variant, total: u32, result: &'b mut [u8; 8]) -> Target<'b> {
    let total = &variant.totals[total as usize];
    let bytes = &mut result[..total.dtype.size()];
    let array = ViewMut::from_bytes(total.dtype, bytes, &[], &[]).expect("eight bytes have room for one element");
    Target { fold: total.reduction.fold, from: total.from, array }
}

/// Fails if parts of the elements do not tell enough.
fn check_kind(formula: &Formula, variant: &Variant) -> Result<()> {
    let lowered = &variant.lowered;
    if variant.totals.is_empty() {
        return Err(not_mergeable(formula, "the formula has no reduction", None));
    }
    if lowered.outputs.iter().any(|output| output.rank > 0) {
        return Err(not_mergeable(formula, "an output is not a single value", None));
    }
    for total in &variant.totals {
        let reduction = &total.reduction;
        let is_position = matches!(reduction.fold, Fold::ArgMin | Fold::ArgMax);
        if reduction.is_scan || is_position || !reduction.is_whole() {
            let message = "only sums, products, extremes, counts and truths of all elements merge";
            return Err(not_mergeable(formula, message, Some(lowered.reductions[total.kind as usize])));
        }
    }
    let params = lowered.graph.params.len();
    let reads = params..params + variant.reads.len();
    for part in &variant.stages {
        let is_later = |source: &Source| match source {
            Source::Param(param) => reads.contains(&(*param as usize)),
            Source::Index(_) | Source::Size(_) => true,
        };
        // What calls give is no array.
        let is_array = |(source, _): (Source, DType)| !matches!(source, Source::Param(k) if k as usize >= reads.end);
        let is_single = |part: &Part| part.totals.is_empty() && !part.program.read().any(is_array);
        if !(is_single(part) || part.outputs.is_empty() && !part.program.sources().any(is_later)) {
            let message = "an element needs to know more than its part: a position, a size or another reduction";
            return Err(not_mergeable(formula, message, None));
        }
    }
    Ok(())
}

fn not_mergeable(formula: &Formula, message: &str, span: Option<Span>) -> Error {
    let error = Error::new(ErrorKind::Argument, "not-mergeable", message);
    match span {
        Some(span) => error.at(&formula.program.ast.source, span),
        None => error,
    }
}

fn unlike(message: &str) -> Error {
    Error::new(ErrorKind::Argument, "unlike-partials", message)
}

impl Partial {
    /// How many elements it stands for.
    #[expect(clippy::len_without_is_empty, reason = "a number of elements, not of things held")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Takes in the state of the elements that follow.
    ///
    /// # Errors
    /// If this one's elements are no multiple of 4,096 (and the other has some), or if the two are of different formulas,
    /// dtypes or scalar arguments.
    pub fn merge(&mut self, later: &Partial) -> Result<(), Error> {
        if self.fingerprint() != later.fingerprint() {
            return Err(unlike("the states are of different formulas or dtypes"));
        }
        if self.scalars != later.scalars {
            return Err(unlike("the states were computed with different scalar arguments"));
        }
        if !self.len.is_multiple_of(BLOCK) && later.len > 0 {
            let message = format!("a part ends after {} elements, where no block of {BLOCK} does", self.len);
            return Err(unlike(&message).with_hint("every part but the last has a multiple of 4096 elements"));
        }
        self.len += later.len;
        self.totals.iter_mut().zip(&later.totals).for_each(|(totals, later)| totals.extend_from_slice(later));
        Ok(())
    }

    /// The outputs of the formula for all elements that were merged.
    ///
    /// # Errors
    /// If `min` or `max` of no elements is asked for.
    pub fn finish(&self) -> Result<Outputs, Error> {
        let (formula, variant) = (&*self.kernel.0, &*self.variant);
        let start = Instant::now();
        let mut bits = Vec::with_capacity(variant.totals.len());
        if let (0, Some(kind)) = (self.len, variant.need_elements.first()) {
            return Err(reduce::empty(formula, &variant.lowered, *kind));
        }
        for (total, blocks) in variant.totals.iter().zip(&self.totals) {
            bits.push(exec::total(total.reduction.fold, total.from, total.dtype, blocks));
        }
        let reads = variant.reads.iter().map(|read| bits[read.total as usize]);
        let inputs: Inputs<'_> = self.scalars.iter().copied().chain(reads).map(Input::Scalar).collect();
        let sizes = vec![self.len as i64; variant.lowered.graph.sizes.len()];
        let graph = &variant.lowered.graph;
        let outputs = graph.outputs.iter().map(|output| Buffer::zeroed(graph.dtype(output.value), &[]));
        let mut buffers = outputs.collect::<Result<Vec<Buffer>>>()?;
        let stop = formula.stop(&variant.lowered, None, None);
        let resources = run::resources(formula, &variant.lowered, &stop);
        for part in variant.stages.iter().filter(|part| part.totals.is_empty()) {
            let written = buffers.iter_mut().enumerate().filter(|(k, _)| part.outputs.contains(k));
            let mut outputs: Vec<ViewMut<'_>> = written.map(|(_, buffer)| buffer.view_mut()).collect();
            let job = Job { inputs: &inputs, outputs: &mut outputs, sizes: &sizes, neighbours: &[] };
            exec::run(&part.program, job, &resources)?;
        }
        for (output, read) in &variant.taken {
            buffers[*output].view_mut().set_bits(&[], inputs_bits(&inputs[self.scalars.len() + *read as usize]));
        }
        let stats = Stats {
            compile_time: Duration::ZERO,
            run_time: start.elapsed(),
            threads: 1,
            chunks: 1,
            bytes_read: self.totals.iter().map(|blocks| blocks.len() as u64).sum(),
            bytes_written: graph.outputs.iter().map(|output| graph.dtype(output.value).size() as u64).sum(),
            backend: formula.engine.backend(),
            cached: true,
        };
        Ok(Outputs::new(formula.output_names.clone(), buffers, stats))
    }

    /// The state as bytes, for [`from_bytes`](Partial::from_bytes) of this version on a machine of the same byte order.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.fingerprint().to_le_bytes());
        bytes.extend(self.len.to_le_bytes());
        for param in &self.variant.params {
            bytes.extend(encoded(*param));
        }
        self.scalars.iter().for_each(|bits| bytes.extend(bits.to_le_bytes()));
        self.totals.iter().for_each(|blocks| bytes.extend_from_slice(blocks));
        bytes
    }

    /// The state that [`to_bytes`](Partial::to_bytes) gave; `kernel` is of the same formula.
    ///
    /// # Errors
    /// If these are no such bytes, or of another formula.
    pub fn from_bytes(kernel: &Kernel, bytes: &[u8]) -> Result<Partial, Error> {
        let formula = &*kernel.0;
        let broken = || Error::new(ErrorKind::Argument, "partial-bytes", "these bytes are no state of this formula");
        let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(broken)?;
        let fingerprint = number(&mut rest).ok_or_else(broken)?;
        let len = number(&mut rest).ok_or_else(broken)?;
        let count = formula.param_names.len();
        let (codes, mut rest) = rest.split_at_checked(2 * count).ok_or_else(broken)?;
        let params: Option<SmallVec<[ParamType; 8]>> =
            codes.chunks(2).map(|code| decoded([code[0], code[1]])).collect();
        let variant = formula.prepared(&params.ok_or_else(broken)?)?;
        check_kind(formula, &variant)?;
        let scalars = (0..count).map(|_| number(&mut rest)).collect::<Option<Vec<u64>>>().ok_or_else(broken)?;
        let mut totals = Vec::new();
        for total in &variant.totals {
            let size = exec::accumulator(total.reduction.fold, total.from, total.dtype);
            let bytes = usize::try_from(len.div_ceil(BLOCK)).ok().and_then(|blocks| blocks.checked_mul(size));
            let (blocks, left) = bytes.and_then(|bytes| rest.split_at_checked(bytes)).ok_or_else(broken)?;
            totals.push(blocks.to_vec());
            rest = left;
        }
        let partial = Partial { kernel: kernel.clone(), variant, len, scalars, totals };
        if rest.is_empty() && partial.fingerprint() == fingerprint { Ok(partial) } else { Err(broken()) }
    }

    /// Of the formula's text and the types of its parameters: Fowler, Noll and Vo's hash.
    fn fingerprint(&self) -> u64 {
        let source = self.kernel.0.program.ast.source.bytes();
        let params = self.variant.params.iter().flat_map(|param| encoded(*param));
        source
            .chain(params)
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

/// What the bytes of a state begin with.
const MAGIC: &[u8] = b"numlift partial 1\n";

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*number))
}

fn inputs_bits(input: &Input<'_>) -> u64 {
    match input {
        Input::Scalar(bits) => *bits,
        Input::Array(_) | Input::InPlace(_) => unreachable!("a total of all elements is one value"),
    }
}

/// A kind with a rank, and a dtype by its place among all.
fn encoded(param: ParamType) -> [u8; 2] {
    let place = DType::ALL.iter().position(|dtype| *dtype == param.dtype()).unwrap_or(0) as u8;
    let kind = match param {
        ParamType::Array { rank, .. } => rank as u8,
        ParamType::Scalar(_) => 0,
        ParamType::WeakInt => 253,
        ParamType::WeakUint => 254,
        ParamType::WeakFloat => 255,
    };
    [kind, place]
}

fn decoded([kind, place]: [u8; 2]) -> Option<ParamType> {
    let dtype = *DType::ALL.get(usize::from(place))?;
    let param = match kind {
        0 => ParamType::Scalar(dtype),
        253 => ParamType::WeakInt,
        254 => ParamType::WeakUint,
        255 => ParamType::WeakFloat,
        rank if usize::from(rank) <= MAX_RANK => ParamType::Array { dtype, rank: usize::from(rank) },
        _ => return None,
    };
    (encoded(param) == [kind, place]).then_some(param)
}

impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partial").field("kernel", &self.kernel).field("len", &self.len).finish_non_exhaustive()
    }
}
