//! Machine instructions to bytes: the VEX and EVEX forms of the table, and the few instructions on general registers that a loop
//! takes.

use super::opcode::{Opcode, Row, Shape, Width};

/// A general register, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gpr(pub(super) u8);

impl Gpr {
    pub(super) const RAX: Gpr = Gpr(0);
    pub(super) const RCX: Gpr = Gpr(1);
    pub(super) const RDX: Gpr = Gpr(2);
    pub(super) const RBX: Gpr = Gpr(3);
    pub(super) const RSP: Gpr = Gpr(4);
    pub(super) const RBP: Gpr = Gpr(5);
    pub(super) const RSI: Gpr = Gpr(6);
    pub(super) const RDI: Gpr = Gpr(7);
    pub(super) const R8: Gpr = Gpr(8);
    pub(super) const R9: Gpr = Gpr(9);
    pub(super) const R10: Gpr = Gpr(10);
    pub(super) const R11: Gpr = Gpr(11);
    pub(super) const R12: Gpr = Gpr(12);
    pub(super) const R13: Gpr = Gpr(13);
    pub(super) const R14: Gpr = Gpr(14);
    pub(super) const R15: Gpr = Gpr(15);

    fn name(self) -> &'static str {
        const NAMES: [&str; 16] = [
            "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
            "r15",
        ];
        NAMES[usize::from(self.0)]
    }
}

/// The operand that need not be a register.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// A vector register.
    Vector(u8),
    /// A general register, or a vector of them, times a power of two may be added to the address.
    Memory { base: Gpr, index: Option<(u8, u8)>, offset: i32 },
    /// So many bytes behind the first datum.
    Data(u32),
}

impl Place {
    pub(super) fn at(base: Gpr, offset: i32) -> Place {
        Place::Memory { base, index: None, offset }
    }
}

/// Names a place in the code that may not be known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(pub(super) u32);

/// A condition of a jump, as the last four bits of its opcode.
#[derive(Clone, Copy, Debug)]
pub(super) enum Condition {
    Below = 2,
    NotBelow = 3,
    Zero = 4,
    NotZero = 5,
    Negative = 8,
}

impl Condition {
    fn name(self) -> &'static str {
        match self {
            Condition::Below => "jb",
            Condition::NotBelow => "jae",
            Condition::Zero => "jz",
            Condition::NotZero => "jnz",
            Condition::Negative => "js",
        }
    }
}

/// Bytes under construction.
#[derive(Debug)]
pub(super) struct Assembler {
    width: Width,
    pub(super) bytes: Vec<u8>,
    /// Where data are referred to: the place of four bytes, what follows them in the instruction, and the datum.
    data: Vec<(usize, u32, u32)>,
    /// Where jumps are, and where to.
    jumps: Vec<(usize, Label)>,
    labels: Vec<Option<usize>>,
    /// Where each instruction ends, and how it reads, if that is asked for.
    pub(super) listing: Option<Vec<(usize, String)>>,
}

impl Assembler {
    pub(super) fn new(width: Width, capacity: usize, is_listed: bool) -> Assembler {
        let (bytes, listing) = (Vec::with_capacity(capacity), is_listed.then(Vec::new));
        Assembler { width, bytes, data: Vec::new(), jumps: Vec::new(), labels: Vec::new(), listing }
    }

    fn list(&mut self, text: impl FnOnce() -> String) {
        if let Some(listing) = &mut self.listing {
            listing.push((self.bytes.len(), text()));
        }
    }

    /// An instruction of the table. `first` is the register named in the opcode's own field, `second` the one in the prefix.
    pub(super) fn vector(&mut self, opcode: Opcode, first: u8, second: u8, place: Place, immediate: Option<u8>) {
        let row = opcode.row();
        debug_assert!(row.is_of(self.width), "{opcode:?} in vectors of {:?}", self.width);
        let unit = if self.width == Width::Bits256 || row.is_of_masks() {
            self.vex(row, first, second, place);
            1
        } else {
            self.evex(row, 0, first, second, place);
            row.bytes(self.width) as i32
        };
        self.place(first, place, unit, u32::from(immediate.is_some()));
        self.bytes.extend(immediate);
        let width = self.width;
        self.list(|| text(width, opcode, first, second, place, immediate));
    }

    /// The same of the lanes alone that a mask register has.
    pub(super) fn masked(&mut self, opcode: Opcode, mask: u8, first: u8, second: u8, place: Place) {
        let row = opcode.row();
        debug_assert!(row.is_of(self.width), "{opcode:?} in vectors of {:?}", self.width);
        assert!((1..8).contains(&mask), "a mask register is named");
        self.evex(row, mask, first, second, place);
        let unit = match row.shape {
            Shape::Gather if row.evex_w => 8,
            Shape::Gather => 4,
            _ => row.bytes(self.width) as i32,
        };
        self.place(first, place, unit, 0);
        let width = self.width;
        self.list(|| {
            let text = text(width, opcode, first, second, place, None);
            text.replacen(',', &format!("{{k{mask}}},"), 1)
        });
    }

    /// The prefix of the VEX form, and the opcode.
    fn vex(&mut self, row: &Row, first: u8, second: u8, place: Place) {
        let (x, b) = match place {
            Place::Vector(register) => (0, register >> 3),
            Place::Memory { base, index, .. } => (index.map_or(0, |(index, _)| index >> 3), base.0 >> 3),
            Place::Data(_) => (0, 0),
        };
        let (r, w, map) = (first >> 3, u8::from(row.w), row.map as u8);
        let rest = (second ^ 15) << 3 | u8::from(row.wide) << 2 | row.prefix as u8;
        if x | b | w == 0 && map == 1 {
            self.bytes.extend_from_slice(&[0xc5, (r ^ 1) << 7 | rest, row.code]);
        } else {
            let registers = (r ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5;
            self.bytes.extend_from_slice(&[0xc4, registers | map, w << 7 | rest, row.code]);
        }
    }

    /// The prefix of the EVEX form, and the opcode. The fifth bit of a register's number stands apart from the fourth.
    fn evex(&mut self, row: &Row, mask: u8, first: u8, second: u8, place: Place) {
        let bit = |number: u8, k: u8| number >> k & 1 ^ 1;
        let (x, b, fifth) = match place {
            Place::Vector(register) => (bit(register, 4), bit(register, 3), bit(second, 4)),
            Place::Memory { base, index, .. } => {
                let index = index.map_or(0, |(index, _)| index);
                (bit(index, 3), bit(base.0, 3), bit(second, 4) & bit(index, 4))
            }
            Place::Data(_) => (1, 1, bit(second, 4)),
        };
        let registers = bit(first, 3) << 7 | x << 6 | b << 5 | bit(first, 4) << 4;
        let length = if row.wide { 2 } else { 0 };
        self.bytes.extend_from_slice(&[
            0x62,
            registers | row.map as u8,
            u8::from(row.evex_w) << 7 | (second & 15 ^ 15) << 3 | 4 | row.prefix as u8,
            length << 5 | fifth << 3 | mask,
            row.code,
        ]);
    }

    /// The bytes that name a register and a place; `behind` more follow them. An offset of one byte counts units of so many.
    fn place(&mut self, register: u8, place: Place, unit: i32, behind: u32) {
        let register = (register & 7) << 3;
        match place {
            Place::Vector(other) => self.bytes.push(0xc0 | register | other & 7),
            Place::Data(datum) => {
                self.bytes.push(register | 5);
                self.data.push((self.bytes.len(), behind, datum));
                self.bytes.extend_from_slice(&[0; 4]);
            }
            Place::Memory { base, index, offset } => {
                let short = i8::try_from(offset / unit).ok().filter(|_| offset % unit == 0);
                // Without an offset the number of rbp and r13 would mean something else.
                let mode = match short {
                    Some(0) if base.0 & 7 != 5 => 0x00,
                    Some(_) => 0x40,
                    None => 0x80,
                };
                match index {
                    None if base.0 & 7 != 4 => self.bytes.push(mode | register | base.0 & 7),
                    _ => {
                        let (index, scale) = index.unwrap_or((Gpr::RSP.0, 0));
                        self.bytes
                            .extend_from_slice(&[mode | register | 4, scale << 6 | (index & 7) << 3 | base.0 & 7]);
                    }
                }
                match short {
                    Some(_) if mode == 0x00 => {}
                    Some(short) => self.bytes.push(short as u8),
                    None => self.bytes.extend_from_slice(&offset.to_le_bytes()),
                }
            }
        }
    }

    /// An instruction on 64-bit general registers with one byte of opcode.
    fn general(&mut self, code: u8, register: u8, place: Place) {
        let b = match place {
            Place::Vector(register) => register >> 3,
            Place::Memory { base, .. } => base.0 >> 3,
            Place::Data(_) => 0,
        };
        self.bytes.extend_from_slice(&[0x48 | (register >> 3) << 2 | b, code]);
        self.place(register, place, 1, 0);
    }

    pub(super) fn load_general(&mut self, to: Gpr, base: Gpr, offset: i32) {
        self.general(0x8b, to.0, Place::at(base, offset));
        self.list(|| format!("mov {}, [{}{offset:+}]", to.name(), base.name()));
    }

    /// Has a line of the caches fetched; an address of nothing is passed over.
    pub(super) fn prefetch(&mut self, base: Gpr, index: Gpr, scale: u8, offset: i32) {
        self.bytes.extend_from_slice(&[0x40 | index.0 >> 3 << 1 | base.0 >> 3, 0x0f, 0x18]);
        self.place(1, Place::Memory { base, index: Some((index.0, scale)), offset }, 1, 0);
        self.list(|| format!("prefetcht0 [{}+{}*{}{offset:+}]", base.name(), index.name(), 1 << scale));
    }

    pub(super) fn store_general(&mut self, from: Gpr, base: Gpr, offset: i32) {
        self.general(0x89, from.0, Place::at(base, offset));
        self.list(|| format!("mov [{}{offset:+}], {}", base.name(), from.name()));
    }

    /// `to = [base + offset]` unless the last test found a negative number.
    pub(super) fn move_unless_negative(&mut self, to: Gpr, base: Gpr, offset: i32) {
        assert!(to.0 < 8 && base.0 >= 8 && base.0 & 7 != 4, "registers of one form");
        let offset = i8::try_from(offset).expect("an offset of one byte");
        self.bytes.extend_from_slice(&[0x49, 0x0f, 0x49, 0x40 | to.0 << 3 | base.0 & 7, offset as u8]);
        self.list(|| format!("cmovns {}, [{}{offset:+}]", to.name(), base.name()));
    }

    pub(super) fn move_general(&mut self, to: Gpr, from: Gpr) {
        self.general(0x8b, to.0, Place::Vector(from.0));
        self.list(|| format!("mov {}, {}", to.name(), from.name()));
    }

    pub(super) fn address_of(&mut self, to: Gpr, base: Gpr, offset: i32) {
        self.general(0x8d, to.0, Place::at(base, offset));
        self.list(|| format!("lea {}, [{}{offset:+}]", to.name(), base.name()));
    }

    pub(super) fn address_of_data(&mut self, to: Gpr, datum: u32) {
        self.general(0x8d, to.0, Place::Data(datum));
        self.list(|| format!("lea {}, [data+{datum}]", to.name()));
    }

    pub(super) fn zero(&mut self, register: Gpr) {
        if register.0 >= 8 {
            self.bytes.push(0x45);
        }
        self.bytes.extend_from_slice(&[0x31, 0xc0 | ((register.0 & 7) * 9)]);
        self.list(|| format!("xor {0}, {0}", register.name()));
    }

    pub(super) fn add(&mut self, register: Gpr, number: i32) {
        self.with_number(0, register, number);
        self.list(|| format!("add {}, {number}", register.name()));
    }

    /// `to += [base + offset]`.
    pub(super) fn add_from(&mut self, to: Gpr, base: Gpr, offset: i32) {
        self.general(0x03, to.0, Place::at(base, offset));
        self.list(|| format!("add {}, [{}{offset:+}]", to.name(), base.name()));
    }

    pub(super) fn subtract(&mut self, register: Gpr, number: i32) {
        self.with_number(5, register, number);
        self.list(|| format!("sub {}, {number}", register.name()));
    }

    pub(super) fn and(&mut self, register: Gpr, number: i32) {
        self.with_number(4, register, number);
        self.list(|| format!("and {}, {number}", register.name()));
    }

    fn with_number(&mut self, digit: u8, register: Gpr, number: i32) {
        match i8::try_from(number) {
            Ok(number) => {
                self.general(0x83, digit, Place::Vector(register.0));
                self.bytes.push(number as u8);
            }
            Err(_) => {
                self.general(0x81, digit, Place::Vector(register.0));
                self.bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
    }

    /// `to = [base + offset] * factor`.
    pub(super) fn multiply(&mut self, to: Gpr, base: Gpr, offset: i32, factor: i32) {
        self.general(0x69, to.0, Place::at(base, offset));
        self.bytes.extend_from_slice(&factor.to_le_bytes());
        self.list(|| format!("imul {}, [{}{offset:+}], {factor}", to.name(), base.name()));
    }

    pub(super) fn compare(&mut self, x: Gpr, y: Gpr) {
        self.general(0x3b, x.0, Place::Vector(y.0));
        self.list(|| format!("cmp {}, {}", x.name(), y.name()));
    }

    pub(super) fn test(&mut self, x: Gpr) {
        self.general(0x85, x.0, Place::Vector(x.0));
        self.list(|| format!("test {0}, {0}", x.name()));
    }

    /// Whether `register` has none of the bits.
    pub(super) fn has_none_of(&mut self, register: Gpr, bits: u8) {
        assert!(register.0 < 4, "a register whose lowest byte has a name of old");
        self.bytes.extend_from_slice(&[0xf6, 0xc0 | register.0, bits]);
        self.list(|| format!("test {}, byte {bits}", register.name()));
    }

    /// Whether the byte at an address is 0.
    pub(super) fn is_zero_byte(&mut self, base: Gpr) {
        assert!(base.0 < 8 && base != Gpr::RSP && base != Gpr::RBP, "an address of one byte");
        self.bytes.extend_from_slice(&[0x80, 0x38 | base.0, 0]);
        self.list(|| format!("cmp byte [{}], 0", base.name()));
    }

    /// Touches the memory at an address without a change.
    pub(super) fn touch(&mut self, base: Gpr) {
        self.general(0x83, 1, Place::at(base, 0));
        self.bytes.push(0);
        self.list(|| format!("or qword [{}], 0", base.name()));
    }

    pub(super) fn push(&mut self, register: Gpr) {
        self.short(0x50, register);
        self.list(|| format!("push {}", register.name()));
    }

    pub(super) fn pop(&mut self, register: Gpr) {
        self.short(0x58, register);
        self.list(|| format!("pop {}", register.name()));
    }

    fn short(&mut self, code: u8, register: Gpr) {
        if register.0 >= 8 {
            self.bytes.push(0x41);
        }
        self.bytes.push(code | register.0 & 7);
    }

    pub(super) fn zero_uppers(&mut self) {
        self.bytes.extend_from_slice(&[0xc5, 0xf8, 0x77]);
        self.list(|| "vzeroupper".into());
    }

    pub(super) fn ret(&mut self) {
        self.bytes.push(0xc3);
        self.list(|| "ret".into());
    }

    pub(super) fn jump(&mut self, label: Label) {
        self.bytes.push(0xe9);
        self.jump_to(label);
        self.list(|| format!("jmp L{}", label.0));
    }

    pub(super) fn call(&mut self, label: Label) {
        self.bytes.push(0xe8);
        self.jump_to(label);
        self.list(|| format!("call L{}", label.0));
    }

    pub(super) fn jump_if(&mut self, condition: Condition, label: Label) {
        self.bytes.extend_from_slice(&[0x0f, 0x80 | condition as u8]);
        self.jump_to(label);
        self.list(|| format!("{} L{}", condition.name(), label.0));
    }

    fn jump_to(&mut self, label: Label) {
        self.jumps.push((self.bytes.len(), label));
        self.bytes.extend_from_slice(&[0; 4]);
    }

    /// The label stands for the place reached so far.
    pub(super) fn bind(&mut self, label: Label) {
        let label_at = label.0 as usize;
        if self.labels.len() <= label_at {
            self.labels.resize(label_at + 1, None);
        }
        self.labels[label_at] = Some(self.bytes.len());
        self.list(|| format!("L{}:", label.0));
    }

    /// Fills up with instructions that do nothing, few and long ones.
    pub(super) fn align(&mut self, to: usize) {
        const NOTHING: [&[u8]; 8] = [
            &[0x90],
            &[0x66, 0x90],
            &[0x0f, 0x1f, 0x00],
            &[0x0f, 0x1f, 0x40, 0x00],
            &[0x0f, 0x1f, 0x44, 0x00, 0x00],
            &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
            &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
            &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
        ];
        let mut gap = self.bytes.len().next_multiple_of(to) - self.bytes.len();
        while gap > 0 {
            let nothing = NOTHING[gap.min(NOTHING.len()) - 1];
            self.bytes.extend_from_slice(nothing);
            gap -= nothing.len();
            self.list(|| "nop".into());
        }
    }

    /// Puts `data` behind the code, aligned to `align` bytes, and fills in every distance.
    pub(super) fn finish(mut self, data: &[u8], align: usize) -> Vec<u8> {
        // What stands between code and data is never reached.
        self.bytes.resize(self.bytes.len().next_multiple_of(align), 0xcc);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(data);
        for (at, behind, datum) in std::mem::take(&mut self.data) {
            self.set_distance(at, behind as usize, start + datum as usize);
        }
        for (at, label) in std::mem::take(&mut self.jumps) {
            let to = self.labels[label.0 as usize].expect("a label that is jumped to has its place");
            self.set_distance(at, 0, to);
        }
        self.bytes
    }

    fn set_distance(&mut self, at: usize, behind: usize, to: usize) {
        let from = at + 4 + behind;
        let distance = i32::try_from(to as i64 - from as i64).expect("code is shorter than 2 GiB");
        self.bytes[at..at + 4].copy_from_slice(&distance.to_le_bytes());
    }
}

fn text(width: Width, opcode: Opcode, first: u8, second: u8, place: Place, immediate: Option<u8>) -> String {
    let row = opcode.row();
    let vector = |register: u8, bytes: u32| match bytes {
        64 => format!("zmm{register}"),
        32 => format!("ymm{register}"),
        _ => format!("xmm{register}"),
    };
    let whole = row.vector_bytes(width);
    let result = if opcode.halves() { whole / 2 } else { whole };
    let place = match place {
        Place::Vector(register) if row.shape == Shape::ToGeneral => Gpr(register).name().into(),
        Place::Vector(register) if row.shape == Shape::FromMask || row.is_of_masks() => format!("k{register}"),
        Place::Vector(register) => vector(register, row.bytes(width)),
        Place::Data(datum) => format!("[data+{datum}]"),
        Place::Memory { base, index, offset } => {
            let index = index.map_or(String::new(), |(index, scale)| {
                let is_vector = row.shape == Shape::Gather;
                let index = if is_vector { vector(index, width.bytes() as u32) } else { Gpr(index).name().into() };
                format!("+{index}*{}", 1 << scale)
            });
            format!("[{}{index}{offset:+}]", base.name())
        }
    };
    let is_masked = width == Width::Bits512;
    let (first, second) = match row.shape {
        _ if row.is_of_masks() => (format!("k{first}"), format!("k{second}")),
        Shape::Compare if is_masked => (format!("k{first}"), vector(second, result)),
        _ => (vector(first, result), vector(second, result)),
    };
    let name = row.name(width);
    let operands = match row.shape {
        Shape::Unary | Shape::Broadcast | Shape::FromMask | Shape::Test => format!("{first}, {place}"),
        Shape::MaskUnary | Shape::MaskTest => format!("{first}, {place}"),
        Shape::Binary | Shape::Fused | Shape::Compare | Shape::MaskedBlend | Shape::MaskBinary => {
            format!("{first}, {second}, {place}")
        }
        Shape::Shift => format!("{second}, {place}"),
        Shape::Extract | Shape::ToGeneral | Shape::Store | Shape::MaskStore => format!("{place}, {first}"),
        Shape::Gather if is_masked => format!("{first}, {place}"),
        Shape::Gather => format!("{first}, {place}, {second}"),
        Shape::Blend => {
            let mask = vector(immediate.unwrap_or(0) >> 4, whole);
            return format!("{name} {first}, {second}, {place}, {mask}");
        }
    };
    match immediate {
        Some(number) => format!("{name} {operands}, {number}"),
        None => format!("{name} {operands}"),
    }
}
