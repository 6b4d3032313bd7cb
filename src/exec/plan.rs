//! A domain and views over it to the order in which elements are visited.

use smallvec::SmallVec;

use crate::error::{Error, ErrorKind, Result};

/// Axes that are kept without allocation.
const FEW_AXES: usize = 4;
/// Arrays that are kept without allocation.
const FEW_ARRAYS: usize = 8;

pub(crate) type Extents = SmallVec<[usize; FEW_AXES]>;
pub(super) type Strides = SmallVec<[isize; FEW_AXES]>;

/// The shape that arrays of these shapes have together, as NumPy broadcasts; names are for the error.
pub(crate) fn broadcast<'a>(shapes: impl Iterator<Item = (&'a str, &'a [usize])> + Clone) -> Result<Extents> {
    let mut common = Extents::new();
    for (name, shape) in shapes.clone() {
        if shape.len() > common.len() {
            let missing = shape.len() - common.len();
            common.insert_many(0, std::iter::repeat_n(1, missing));
        }
        let offset = common.len() - shape.len();
        for (axis, &extent) in shape.iter().enumerate() {
            let known = &mut common[offset + axis];
            if *known == 1 {
                *known = extent;
            } else if extent != 1 && extent != *known {
                let axis_from_end = shape.len() - axis;
                let blames = |other: &&(&str, &[usize])| {
                    other.1.len() >= axis_from_end && other.1[other.1.len() - axis_from_end] == *known
                };
                let (other, other_shape) =
                    shapes.clone().find(|other| blames(&other)).expect("an extent came from a shape");
                return Err(mismatch(other, other_shape, name, shape, axis_from_end));
            }
        }
    }
    Ok(common)
}

fn mismatch(a: &str, a_shape: &[usize], b: &str, b_shape: &[usize], axis_from_end: usize) -> Error {
    let (i, j) = (a_shape.len() - axis_from_end, b_shape.len() - axis_from_end);
    let message = format!(
        "`{a}` of shape {} and `{b}` of shape {} do not broadcast: axis {i} of `{a}` has {} elements, axis {j} of `{b}` has {}",
        show(a_shape),
        show(b_shape),
        a_shape[i],
        b_shape[j]
    );
    Error::new(ErrorKind::Shape, "shape-mismatch", message)
        .with_note("shapes are aligned at their last axis; extents must be equal, or one of them 1")
}

/// A shape as NumPy writes it.
pub(crate) fn show(shape: &[usize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        _ => format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// Where the elements of one array lie along the axes of a plan.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    /// The first element; of positions along an axis, which have no memory, the number as an address.
    pub(super) start: *mut u8,
    /// Steps along each axis of the plan: bytes, or positions.
    pub(super) strides: Strides,
    /// The step of an array without gaps.
    pub(super) unit: isize,
    /// Whether the whole array lies in the order of the plan without gaps.
    pub(super) dense: bool,
}

impl Walk {
    /// Where the element at these positions along the axes of the plan is.
    pub(super) fn address(&self, positions: &[usize]) -> *mut u8 {
        let offset = positions.iter().zip(&self.strides).map(|(position, stride)| *position as isize * stride).sum();
        self.start.wrapping_offset(offset)
    }
}

/// The order of elements: axes from slow to fast, as few as the arrays allow.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) len: usize,
    pub(super) extents: Extents,
    pub(super) walks: SmallVec<[Walk; FEW_ARRAYS]>,
}

/// Where an array lies along the axes of the domain.
pub(super) struct Placed<'a> {
    pub(super) start: *mut u8,
    /// Of the array's own shape, which broadcasts to the domain.
    pub(super) shape: &'a [usize],
    pub(super) strides: &'a [isize],
    pub(super) unit: isize,
}

impl Plan {
    /// Elements do not depend on one another, so axes are put in the order in which the last array (an output) lies in memory,
    /// turned so that its steps are positive, and joined where all arrays go on without a break.
    pub(super) fn new<'a>(domain: &[usize], arrays: impl Iterator<Item = Placed<'a>>) -> Plan {
        let len = domain.iter().product();
        let mut walks: SmallVec<[Walk; FEW_ARRAYS]> = arrays.map(|array| spread(domain, &array)).collect();
        let mut extents = Extents::from_slice(domain);
        if len > 1 {
            drop_single(&mut extents, &mut walks);
            order(&mut extents, &mut walks);
            join(&mut extents, &mut walks);
        } else {
            extents = Extents::from_slice(&[len]);
            walks.iter_mut().for_each(|walk| walk.strides = Strides::from_slice(&[walk.unit]));
        }
        Plan { len, extents, walks }.with_dense()
    }

    /// The axes as they are: positions along them are those in the arrays.
    pub(super) fn in_order<'a>(domain: &[usize], arrays: impl Iterator<Item = Placed<'a>>) -> Plan {
        let walks = arrays.map(|array| spread(domain, &array)).collect();
        Plan { len: domain.iter().product(), extents: Extents::from_slice(domain), walks }.with_dense()
    }

    /// The axes class after class in the given order, those of one class joined where all arrays go on without a break.
    pub(super) fn nested<'a>(domain: &[usize], classes: &[&[usize]], arrays: impl Iterator<Item = Placed<'a>>) -> Plan {
        let len = domain.iter().product();
        let mut walks: SmallVec<[Walk; FEW_ARRAYS]> = arrays.map(|array| spread(domain, &array)).collect();
        let all: SmallVec<[Strides; FEW_ARRAYS]> =
            walks.iter_mut().map(|walk| std::mem::take(&mut walk.strides)).collect();
        let mut extents = Extents::new();
        for class in classes {
            let mut is_first = true;
            for axis in class.iter().copied().filter(|axis| domain[*axis] != 1) {
                let goes_on = |(walk, strides): (&Walk, &Strides)| {
                    walk.strides.last() == Some(&strides[axis].wrapping_mul(domain[axis] as isize))
                };
                if !is_first && walks.iter().zip(&all).all(goes_on) {
                    *extents.last_mut().expect("an axis before") *= domain[axis];
                    walks.iter_mut().for_each(|walk| walk.strides.truncate(walk.strides.len() - 1));
                } else {
                    extents.push(domain[axis]);
                }
                walks.iter_mut().zip(&all).for_each(|(walk, strides)| walk.strides.push(strides[axis]));
                is_first = false;
            }
        }
        Plan { len, extents, walks }.with_dense()
    }

    fn with_dense(mut self) -> Plan {
        for walk in &mut self.walks {
            let mut expected = walk.unit;
            walk.dense = walk.strides.iter().zip(&self.extents).rev().all(|(stride, extent)| {
                let follows = *stride == expected;
                expected = expected.wrapping_mul(*extent as isize);
                follows
            });
        }
        self
    }

    /// The walk of what is in no array, of elements of so many bytes.
    pub(super) fn nowhere(&self, size: usize) -> Walk {
        let strides = self.extents.iter().map(|_| 0).collect();
        Walk { start: std::ptr::null_mut(), strides, unit: size as isize, dense: false }
    }

    /// The extent of the fastest axis.
    pub(super) fn inner(&self) -> usize {
        self.extents.last().copied().unwrap_or(1)
    }

    /// The position of element `at` along each axis.
    pub(super) fn positions(&self, at: usize) -> Extents {
        let mut positions = Extents::from_elem(0, self.extents.len());
        self.each_axis(at, |axis, position| positions[axis] = position);
        positions
    }

    /// Where an array has its element `at`, which lies right: without gaps, or along the fastest axis.
    pub(super) fn address(&self, walk: &Walk, at: usize) -> *mut u8 {
        if walk.dense {
            return walk.start.wrapping_add(at * walk.unit as usize);
        }
        let mut offset = 0;
        self.each_axis(at, |axis, position| offset += position as isize * walk.strides[axis]);
        walk.start.wrapping_offset(offset)
    }

    /// The position of element `at` along each axis, fastest first.
    pub(super) fn each_axis(&self, at: usize, mut visit: impl FnMut(usize, usize)) {
        let mut rest = at;
        for axis in (1..self.extents.len()).rev() {
            visit(axis, rest % self.extents[axis]);
            rest /= self.extents[axis];
        }
        if !self.extents.is_empty() {
            visit(0, rest);
        }
    }

    /// The step along the fastest axis.
    pub(super) fn step(&self, walk: &Walk) -> isize {
        walk.strides.last().copied().unwrap_or(0)
    }

    /// Runs of elements from `at` on along the fastest axis: where each begins, how many elements went before, how many it has.
    pub(super) fn rows(&self, walk: &Walk, at: usize, count: usize, mut visit: impl FnMut(*mut u8, usize, usize)) {
        let axes = self.extents.len();
        if axes == 0 || walk.dense {
            return visit(self.address(walk, at), 0, count);
        }
        let inner = self.extents[axes - 1];
        let mut position: SmallVec<[usize; 8]> = SmallVec::from_elem(0, axes);
        self.each_axis(at, |axis, k| position[axis] = k);
        let mut start = walk.start;
        for (k, stride) in position.iter().zip(&walk.strides) {
            start = start.wrapping_offset(*k as isize * *stride);
        }
        let mut done = 0;
        while done < count {
            let row = (inner - position[axes - 1]).min(count - done);
            visit(start, done, row);
            done += row;
            if done == count {
                break;
            }
            start = start.wrapping_offset(-(position[axes - 1] as isize * walk.strides[axes - 1]));
            position[axes - 1] = 0;
            for axis in (0..axes - 1).rev() {
                position[axis] += 1;
                start = start.wrapping_offset(walk.strides[axis]);
                if position[axis] < self.extents[axis] {
                    break;
                }
                start = start.wrapping_offset(-(position[axis] as isize * walk.strides[axis]));
                position[axis] = 0;
            }
        }
    }
}

/// Strides along every axis of the domain: 0 along those that the array is repeated along.
fn spread(domain: &[usize], array: &Placed<'_>) -> Walk {
    let offset = domain.len() - array.shape.len();
    let stride = |axis: usize| match axis.checked_sub(offset) {
        Some(own) if array.shape[own] != 1 => array.strides[own],
        _ => 0,
    };
    Walk { start: array.start, strides: (0..domain.len()).map(stride).collect(), unit: array.unit, dense: false }
}

fn drop_single(extents: &mut Extents, walks: &mut [Walk]) {
    for axis in (0..extents.len()).rev().filter(|axis| extents[*axis] == 1).collect::<Extents>() {
        extents.remove(axis);
        for walk in walks.iter_mut() {
            walk.strides.remove(axis);
        }
    }
}

fn order(extents: &mut Extents, walks: &mut [Walk]) {
    let Some(leader) = walks.last().map(|walk| walk.strides.clone()) else { return };
    for axis in (0..extents.len()).filter(|axis| leader[*axis] < 0) {
        for walk in walks.iter_mut() {
            walk.start = walk.start.wrapping_offset((extents[axis] as isize - 1) * walk.strides[axis]);
            walk.strides[axis] = -walk.strides[axis];
        }
    }
    let mut axes: Extents = (0..extents.len()).collect();
    if axes.is_sorted_by_key(|axis| std::cmp::Reverse(leader[*axis].unsigned_abs())) {
        return;
    }
    axes.sort_by_key(|axis| std::cmp::Reverse(leader[*axis].unsigned_abs()));
    *extents = axes.iter().map(|axis| extents[*axis]).collect();
    for walk in walks {
        walk.strides = axes.iter().map(|axis| walk.strides[*axis]).collect();
    }
}

fn join(extents: &mut Extents, walks: &mut [Walk]) {
    for axis in (1..extents.len()).rev() {
        let inner = extents[axis] as isize;
        if walks.iter().all(|walk| walk.strides[axis - 1] == walk.strides[axis] * inner) {
            extents[axis - 1] *= extents[axis];
            extents.remove(axis);
            for walk in walks.iter_mut() {
                walk.strides.remove(axis - 1);
            }
        }
    }
}
