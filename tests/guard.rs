//! Arrays that touch a page without access, before and behind: no byte outside of an array is read or written.
#![cfg(unix)]
#![expect(unsafe_code, reason = "maps pages and takes the access to some of them away")]

mod support;

use std::ptr;
use std::slice;

use numlift::{Args, DType, Kernel, View, ViewMut};
use support::engines;

/// Bytes between two pages without access.
struct Fenced {
    base: *mut u8,
    page: usize,
    len: usize,
}

impl Fenced {
    fn new(least: usize) -> Fenced {
        // SAFETY: asks for a number.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).expect("pages have a size");
        let len = least.next_multiple_of(page);
        let (access, flags) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping at an address of the system's choice touches no other.
        let base = unsafe { libc::mmap(ptr::null_mut(), len + 2 * page, access, flags, -1, 0) };
        assert_ne!(base, libc::MAP_FAILED, "the system maps a few pages");
        let base = base.cast::<u8>();
        // SAFETY: the pages lie inside the mapping made above.
        let failed = unsafe { libc::mprotect(base.add(page).cast(), len, libc::PROT_READ | libc::PROT_WRITE) };
        assert_eq!(failed, 0, "the system gives access to its pages");
        Fenced { base, page, len }
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: these bytes are mapped for reading and writing, zeroed by the system, and borrowed through `self`.
        unsafe { slice::from_raw_parts_mut(self.base.add(self.page), self.len) }
    }

    /// The bytes of an array of that size, `gap` bytes before the page behind (or after the page before).
    fn part(&mut self, size: usize, gap: usize, behind: bool) -> &mut [u8] {
        let len = self.len;
        if behind { &mut self.bytes()[len - gap - size..len - gap] } else { &mut self.bytes()[gap..gap + size] }
    }
}

impl Drop for Fenced {
    fn drop(&mut self) {
        // SAFETY: unmaps the mapping that this value owns.
        unsafe { libc::munmap(self.base.cast(), self.len + 2 * self.page) };
    }
}

/// One side of a formula's arrays: where they end, and how many elements they step over.
#[derive(Clone, Copy)]
struct Place {
    len: usize,
    gap: usize,
    behind: bool,
    step: isize,
}

impl Place {
    fn size(self, dtype: DType) -> usize {
        if self.len == 0 { 0 } else { ((self.len - 1) * self.step.unsigned_abs() + 1) * dtype.size() }
    }

    fn strides(self, dtype: DType) -> [isize; 1] {
        [self.step * dtype.size() as isize]
    }
}

/// Three fenced arrays for two operands and a result.
struct Fences([Fenced; 3]);

impl Fences {
    fn run(&mut self, kernel: &Kernel, dtypes: [DType; 3], place: Place) {
        let [x, y, out] = &mut self.0;
        for (fenced, dtype) in [(&mut *x, dtypes[0]), (&mut *y, dtypes[1])] {
            for (i, byte) in fenced.part(place.size(dtype), place.gap, place.behind).iter_mut().enumerate() {
                *byte = if dtype == DType::Bool { (i % 3 == 0).into() } else { (i * 37 % 101) as u8 };
            }
        }
        fn view(fenced: &mut Fenced, dtype: DType, place: Place) -> View<'_> {
            let bytes = fenced.part(place.size(dtype), place.gap, place.behind);
            View::from_bytes(dtype, bytes, &[place.len], &place.strides(dtype)).expect("the array lies in its bytes")
        }
        let bytes = out.part(place.size(dtypes[2]), place.gap, place.behind);
        let output = ViewMut::from_bytes(dtypes[2], bytes, &[place.len], &place.strides(dtypes[2]))
            .expect("the array lies in its bytes");
        let args = Args::new().input("x", view(x, dtypes[0], place)).input("y", view(y, dtypes[1], place));
        kernel.run(args.output(output)).unwrap_or_else(|error| panic!("{error:?}"));
    }

    /// Every length up to 64 at every alignment and a few beyond.
    fn run_all(&mut self, kernel: &Kernel, dtypes: [DType; 3]) {
        for len in (0..=64).chain([127, 128, 129, 1023, 1024, 1025]) {
            for behind in [true, false] {
                for gap in (0..=8).chain([13, 16, 31]) {
                    self.run(kernel, dtypes, Place { len, gap, behind, step: 1 });
                }
                for step in [-1, 2, -3] {
                    self.run(kernel, dtypes, Place { len, gap: 0, behind, step });
                    self.run(kernel, dtypes, Place { len, gap: 1, behind, step });
                }
            }
        }
    }
}

fn fences() -> Fences {
    Fences([(); 3].map(|()| Fenced::new(32 * 1024)))
}

#[test]
fn every_dtype() {
    for (_, engine) in engines() {
        let kernel = engine.compile("where(x == y, x, y)").expect("the formula is right");
        for dtype in DType::ALL {
            fences().run_all(&kernel, [dtype; 3]);
        }
    }
}

/// Narrow elements beside wide ones: partial loads and stores.
#[test]
fn mixed_dtypes() {
    for (_, engine) in engines() {
        for (text, dtypes) in [
            ("x + y", [DType::I8, DType::F64, DType::F64]),
            ("x + y", [DType::U8, DType::F32, DType::F32]),
            ("x + y", [DType::I16, DType::I64, DType::I64]),
            ("x < y", [DType::F64, DType::F32, DType::Bool]),
            ("x < y", [DType::U64, DType::I8, DType::Bool]),
            ("u8(x + y)", [DType::I64, DType::I32, DType::U8]),
            ("i16(x * y)", [DType::F64, DType::Bool, DType::I16]),
            ("f32(x / y)", [DType::I32, DType::I64, DType::F32]),
            ("where(x, y, 0)", [DType::Bool, DType::F64, DType::F64]),
            ("x // y + i8(y)", [DType::I8, DType::I8, DType::I8]),
        ] {
            let kernel = engine.compile(text).expect("the formula is right");
            fences().run_all(&kernel, dtypes);
        }
    }
}

/// Elements at any index, however far beyond the edges it is: none is read as part of a wider one.
#[test]
fn computed_places() {
    for (_, engine) in engines() {
        for mode in ["clip", "wrap", "fill"] {
            let kernel =
                engine.compile(&format!("take(x, y * 3 - 40, mode=\"{mode}\")")).expect("the formula is right");
            for dtype in [DType::U8, DType::I16, DType::F32, DType::F64] {
                fences().run_all(&kernel, [dtype, DType::I8, dtype]);
            }
        }
    }
}

/// Large enough to be cut into chunks and, for the largest, to be written past the caches.
#[test]
fn long_arrays() {
    for (_, engine) in engines() {
        let kernel = engine.compile("x * y + 1").expect("the formula is right");
        for len in [65_535, 65_537, 300_001] {
            for gap in [0, 1, 8] {
                for behind in [true, false] {
                    let mut fences = Fences([(); 3].map(|()| Fenced::new(len * 8 + 64)));
                    fences.run(&kernel, [DType::F64; 3], Place { len, gap, behind, step: 1 });
                    fences.run(&kernel, [DType::F64, DType::F32, DType::F64], Place { len, gap, behind, step: 1 });
                    fences.run(&kernel, [DType::U8; 3], Place { len, gap, behind, step: -1 });
                }
            }
        }
    }
}
