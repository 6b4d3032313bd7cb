//! The table of vector instructions: name, shape of the operands, what is read from memory, and how it is encoded; one row each.

use std::ops::Range;

/// How wide vectors are, and with it which forms instructions have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// The VEX forms of AVX2.
    Bits256,
    /// The EVEX forms of AVX-512.
    Bits512,
}

impl Width {
    /// Bytes of a vector register.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Width::Bits256 => 32,
            Width::Bits512 => 64,
        }
    }

    /// Number of vector registers.
    pub(super) const fn registers(self) -> u8 {
        match self {
            Width::Bits256 => 16,
            Width::Bits512 => 32,
        }
    }

    /// The numbers of the mask registers: as a mask the first of all would mean that there is none.
    pub(super) fn masks(self) -> Range<u8> {
        match self {
            Width::Bits256 => 0..0,
            Width::Bits512 => 1..8,
        }
    }
}

/// Which operands an instruction has, in the order in which the register allocator is told of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Result, source in a register or memory.
    Unary,
    /// As `Unary`: the source fills the result again and again.
    Broadcast,
    /// Result, first source, second source in a register or memory.
    Binary,
    /// As `Binary`, but the result takes the place of the first source.
    Fused,
    /// As `Binary`. Of 512 bits the result is a mask register.
    Compare,
    /// As `Blend`, with a mask register.
    MaskedBlend,
    /// Result, a mask register.
    FromMask,
    /// As `Unary` or `Binary` of mask registers, the last one of `MaskUnary` in a register or memory.
    MaskUnary,
    MaskBinary,
    /// A mask register; the result goes to memory.
    MaskStore,
    /// A mask register, and the same again; sets flags.
    MaskTest,
    /// Result, source in a register; a digit in the place of one register's number.
    Shift,
    /// Result, first source, mask, second source in a register or memory. Where the mask's lane is on the second is chosen.
    Blend,
    /// Result in the place of the source: a part of it moves down.
    Extract,
    /// As `Extract`, to a general register.
    ToGeneral,
    /// Source; the result goes to memory.
    Store,
    /// Result, indices, mask of what is wanted.
    Gather,
    /// Source, and the same again; sets flags.
    Test,
}

/// The prefix that is part of an opcode.
#[derive(Clone, Copy, Debug)]
pub(super) enum Prefix {
    None = 0,
    P66 = 1,
    F3 = 2,
}

/// The table that an opcode is looked up in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Map {
    M0F = 1,
    M0F38 = 2,
    M0F3A = 3,
}

/// How an instruction is encoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    name: &'static str,
    /// What it is called where vectors are of 512 bits, if not the same.
    evex_name: Option<&'static str>,
    pub(super) shape: Shape,
    /// Bytes of the operand that may be in memory, where vectors are of 256 bits.
    bytes: u32,
    /// Whether it works on whole vectors, not on 16 bytes.
    pub(super) wide: bool,
    pub(super) prefix: Prefix,
    pub(super) map: Map,
    pub(super) w: bool,
    /// The same bit of the EVEX form.
    pub(super) evex_w: bool,
    pub(super) code: u8,
    /// The digit of a `Shift`.
    pub(super) digit: u8,
    /// The width that alone has it.
    only: Option<Width>,
}

impl Row {
    pub(super) fn name(&self, width: Width) -> &'static str {
        self.evex_name.filter(|_| width == Width::Bits512).unwrap_or(self.name)
    }

    /// Bytes of the operand that may be in memory.
    pub(super) fn bytes(&self, width: Width) -> u32 {
        // What is given to all lanes is as long in vectors of any width.
        let is_part = !self.wide || self.shape == Shape::Broadcast;
        if is_part { self.bytes } else { self.bytes * width.bytes() as u32 / 32 }
    }

    /// Bytes of the registers that are not the operand which may be in memory.
    pub(super) fn vector_bytes(&self, width: Width) -> u32 {
        if self.wide { width.bytes() as u32 } else { 16 }
    }

    /// Whether its registers are mask registers alone, which makes it a VEX form.
    pub(super) fn is_of_masks(&self) -> bool {
        matches!(self.shape, Shape::MaskUnary | Shape::MaskBinary | Shape::MaskStore | Shape::MaskTest)
    }

    pub(super) fn is_of(&self, width: Width) -> bool {
        self.only.is_none_or(|only| only == width)
    }
}

macro_rules! opcodes {
    ($($op:ident = $name:literal $(or $evex_name:literal)?, $shape:ident $bytes:literal, $prefix:ident $map:ident $code:literal $(w $w:literal)? $(e $e:literal)? $(/ $digit:literal)? $(l $wide:literal)? $(only $only:ident)?;)+) => {
        /// A vector instruction.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Opcode { $($op),+ }

        impl Opcode {
            /// Every one of them, for the test that must cover all.
            #[cfg(test)]
            pub(super) const ALL: &[Opcode] = &[$(Opcode::$op),+];

            pub(super) const fn row(self) -> &'static Row {
                const ROWS: &[Row] = &[$(Row {
                    name: $name,
                    evex_name: [$(Some($evex_name),)? None][0],
                    shape: Shape::$shape,
                    bytes: $bytes,
                    wide: true $(&& $wide != 0)?,
                    prefix: Prefix::$prefix,
                    map: Map::$map,
                    w: false $(|| $w != 0)?,
                    evex_w: false $(|| $w != 0)? $(|| $e != 0)?,
                    code: $code,
                    digit: 0 $(+ $digit)?,
                    only: [$(Some(Width::$only),)? None][0],
                }),+];
                &ROWS[self as usize]
            }
        }
    };
}

opcodes! {
    Load = "vmovups", Unary 32, None M0F 0x10;
    Move = "vmovaps", Unary 32, None M0F 0x28;
    Broadcast128 = "vbroadcastf128" or "vbroadcastf32x4", Broadcast 16, P66 M0F38 0x1a;
    Broadcast64 = "vbroadcastsd", Broadcast 8, P66 M0F38 0x19 e 1;
    Broadcast32 = "vbroadcastss", Broadcast 4, P66 M0F38 0x18;
    Broadcast16 = "vpbroadcastw", Broadcast 2, P66 M0F38 0x79;
    Broadcast8 = "vpbroadcastb", Broadcast 1, P66 M0F38 0x78;
    Store = "vmovups", Store 32, None M0F 0x11;
    StorePast = "vmovntps", Store 32, None M0F 0x2b;
    StoreHalf = "vmovups", Store 16, None M0F 0x11 l 0;
    Store64 = "vmovq", Store 8, P66 M0F 0xd6 e 1 l 0;
    Store32 = "vmovd", Store 4, P66 M0F 0x7e l 0;

    AddPs = "vaddps", Binary 32, None M0F 0x58;
    AddPd = "vaddpd", Binary 32, P66 M0F 0x58 e 1;
    SubPs = "vsubps", Binary 32, None M0F 0x5c;
    SubPd = "vsubpd", Binary 32, P66 M0F 0x5c e 1;
    MulPs = "vmulps", Binary 32, None M0F 0x59;
    MulPd = "vmulpd", Binary 32, P66 M0F 0x59 e 1;
    DivPs = "vdivps", Binary 32, None M0F 0x5e;
    DivPd = "vdivpd", Binary 32, P66 M0F 0x5e e 1;
    MinPs = "vminps", Binary 32, None M0F 0x5d;
    MinPd = "vminpd", Binary 32, P66 M0F 0x5d e 1;
    MaxPs = "vmaxps", Binary 32, None M0F 0x5f;
    MaxPd = "vmaxpd", Binary 32, P66 M0F 0x5f e 1;
    SqrtPs = "vsqrtps", Unary 32, None M0F 0x51;
    SqrtPd = "vsqrtpd", Unary 32, P66 M0F 0x51 e 1;
    RoundPs = "vroundps" or "vrndscaleps", Unary 32, P66 M0F3A 0x08;
    RoundPd = "vroundpd" or "vrndscalepd", Unary 32, P66 M0F3A 0x09 e 1;
    CmpPs = "vcmpps", Compare 32, None M0F 0xc2;
    CmpPd = "vcmppd", Compare 32, P66 M0F 0xc2 e 1;

    Fmadd132Ps = "vfmadd132ps", Fused 32, P66 M0F38 0x98;
    Fmadd132Pd = "vfmadd132pd", Fused 32, P66 M0F38 0x98 w 1;
    Fmadd213Ps = "vfmadd213ps", Fused 32, P66 M0F38 0xa8;
    Fmadd213Pd = "vfmadd213pd", Fused 32, P66 M0F38 0xa8 w 1;
    Fmadd231Ps = "vfmadd231ps", Fused 32, P66 M0F38 0xb8;
    Fmadd231Pd = "vfmadd231pd", Fused 32, P66 M0F38 0xb8 w 1;
    Fmsub132Ps = "vfmsub132ps", Fused 32, P66 M0F38 0x9a;
    Fmsub132Pd = "vfmsub132pd", Fused 32, P66 M0F38 0x9a w 1;
    Fmsub213Ps = "vfmsub213ps", Fused 32, P66 M0F38 0xaa;
    Fmsub213Pd = "vfmsub213pd", Fused 32, P66 M0F38 0xaa w 1;
    Fmsub231Ps = "vfmsub231ps", Fused 32, P66 M0F38 0xba;
    Fmsub231Pd = "vfmsub231pd", Fused 32, P66 M0F38 0xba w 1;
    Fnmadd132Ps = "vfnmadd132ps", Fused 32, P66 M0F38 0x9c;
    Fnmadd132Pd = "vfnmadd132pd", Fused 32, P66 M0F38 0x9c w 1;
    Fnmadd213Ps = "vfnmadd213ps", Fused 32, P66 M0F38 0xac;
    Fnmadd213Pd = "vfnmadd213pd", Fused 32, P66 M0F38 0xac w 1;
    Fnmadd231Ps = "vfnmadd231ps", Fused 32, P66 M0F38 0xbc;
    Fnmadd231Pd = "vfnmadd231pd", Fused 32, P66 M0F38 0xbc w 1;
    Fnmsub132Ps = "vfnmsub132ps", Fused 32, P66 M0F38 0x9e;
    Fnmsub132Pd = "vfnmsub132pd", Fused 32, P66 M0F38 0x9e w 1;
    Fnmsub213Ps = "vfnmsub213ps", Fused 32, P66 M0F38 0xae;
    Fnmsub213Pd = "vfnmsub213pd", Fused 32, P66 M0F38 0xae w 1;
    Fnmsub231Ps = "vfnmsub231ps", Fused 32, P66 M0F38 0xbe;
    Fnmsub231Pd = "vfnmsub231pd", Fused 32, P66 M0F38 0xbe w 1;

    AddB = "vpaddb", Binary 32, P66 M0F 0xfc;
    AddW = "vpaddw", Binary 32, P66 M0F 0xfd;
    AddD = "vpaddd", Binary 32, P66 M0F 0xfe;
    AddQ = "vpaddq", Binary 32, P66 M0F 0xd4 e 1;
    SubB = "vpsubb", Binary 32, P66 M0F 0xf8;
    SubW = "vpsubw", Binary 32, P66 M0F 0xf9;
    SubD = "vpsubd", Binary 32, P66 M0F 0xfa;
    SubQ = "vpsubq", Binary 32, P66 M0F 0xfb e 1;
    MulW = "vpmullw", Binary 32, P66 M0F 0xd5;
    MulD = "vpmulld", Binary 32, P66 M0F38 0x40;
    MulLowHalves = "vpmuludq", Binary 32, P66 M0F 0xf4 e 1;
    MinSb = "vpminsb", Binary 32, P66 M0F38 0x38;
    MinSw = "vpminsw", Binary 32, P66 M0F 0xea;
    MinSd = "vpminsd", Binary 32, P66 M0F38 0x39;
    MinUb = "vpminub", Binary 32, P66 M0F 0xda;
    MinUw = "vpminuw", Binary 32, P66 M0F38 0x3a;
    MinUd = "vpminud", Binary 32, P66 M0F38 0x3b;
    MaxSb = "vpmaxsb", Binary 32, P66 M0F38 0x3c;
    MaxSw = "vpmaxsw", Binary 32, P66 M0F 0xee;
    MaxSd = "vpmaxsd", Binary 32, P66 M0F38 0x3d;
    MaxUb = "vpmaxub", Binary 32, P66 M0F 0xde;
    MaxUw = "vpmaxuw", Binary 32, P66 M0F38 0x3e;
    MaxUd = "vpmaxud", Binary 32, P66 M0F38 0x3f;
    And = "vpand" or "vpandd", Binary 32, P66 M0F 0xdb;
    Or = "vpor" or "vpord", Binary 32, P66 M0F 0xeb;
    Xor = "vpxor" or "vpxord", Binary 32, P66 M0F 0xef;
    EqB = "vpcmpeqb", Compare 32, P66 M0F 0x74 only Bits256;
    EqW = "vpcmpeqw", Compare 32, P66 M0F 0x75 only Bits256;
    EqD = "vpcmpeqd", Compare 32, P66 M0F 0x76 only Bits256;
    EqQ = "vpcmpeqq", Compare 32, P66 M0F38 0x29 only Bits256;
    GtB = "vpcmpgtb", Compare 32, P66 M0F 0x64 only Bits256;
    GtW = "vpcmpgtw", Compare 32, P66 M0F 0x65 only Bits256;
    GtD = "vpcmpgtd", Compare 32, P66 M0F 0x66 only Bits256;
    GtQ = "vpcmpgtq", Compare 32, P66 M0F38 0x37 only Bits256;

    SllW = "vpsllw", Shift 32, P66 M0F 0x71 / 6;
    SrlW = "vpsrlw", Shift 32, P66 M0F 0x71 / 2;
    SraW = "vpsraw", Shift 32, P66 M0F 0x71 / 4;
    SllD = "vpslld", Shift 32, P66 M0F 0x72 / 6;
    SrlD = "vpsrld", Shift 32, P66 M0F 0x72 / 2;
    SraD = "vpsrad", Shift 32, P66 M0F 0x72 / 4;
    SllQ = "vpsllq", Shift 32, P66 M0F 0x73 e 1 / 6;
    SrlQ = "vpsrlq", Shift 32, P66 M0F 0x73 e 1 / 2;
    SllvD = "vpsllvd", Binary 32, P66 M0F38 0x47;
    SllvQ = "vpsllvq", Binary 32, P66 M0F38 0x47 w 1;
    SrlvD = "vpsrlvd", Binary 32, P66 M0F38 0x45;
    SrlvQ = "vpsrlvq", Binary 32, P66 M0F38 0x45 w 1;
    SravD = "vpsravd", Binary 32, P66 M0F38 0x46;

    BlendPs = "vblendvps", Blend 32, P66 M0F3A 0x4a only Bits256;
    BlendPd = "vblendvpd", Blend 32, P66 M0F3A 0x4b only Bits256;
    BlendB = "vpblendvb", Blend 32, P66 M0F3A 0x4c only Bits256;

    WidenSb = "vpmovsxbw", Unary 16, P66 M0F38 0x20;
    WidenSw = "vpmovsxwd", Unary 16, P66 M0F38 0x23;
    WidenSd = "vpmovsxdq", Unary 16, P66 M0F38 0x25;
    WidenUb = "vpmovzxbw", Unary 16, P66 M0F38 0x30;
    WidenUw = "vpmovzxwd", Unary 16, P66 M0F38 0x33;
    WidenUd = "vpmovzxdq", Unary 16, P66 M0F38 0x35;
    WidenPs = "vcvtps2pd", Unary 16, None M0F 0x5a;
    NarrowPd = "vcvtpd2ps", Unary 32, P66 M0F 0x5a e 1;
    FloatD = "vcvtdq2ps", Unary 32, None M0F 0x5b;
    FloatHalf = "vcvtdq2pd", Unary 16, F3 M0F 0xe6;
    PackSw = "vpacksswb", Binary 32, P66 M0F 0x63 only Bits256;
    PackSd = "vpackssdw", Binary 32, P66 M0F 0x6b only Bits256;
    PackUw = "vpackuswb", Binary 32, P66 M0F 0x67 only Bits256;
    PackUd = "vpackusdw", Binary 32, P66 M0F38 0x2b only Bits256;
    ShufflePs = "vshufps", Binary 32, None M0F 0xc6 only Bits256;
    PermuteQ = "vpermq", Unary 32, P66 M0F3A 0x00 w 1 only Bits256;
    Insert128 = "vinsertf128", Binary 16, P66 M0F3A 0x18 only Bits256;
    Extract128 = "vextractf128", Extract 16, P66 M0F3A 0x19 only Bits256;

    ExtractQ = "vpextrq", ToGeneral 8, P66 M0F3A 0x16 w 1 l 0;
    InsertB = "vpinsrb", Binary 1, P66 M0F3A 0x20 l 0;
    InsertW = "vpinsrw", Binary 2, P66 M0F 0xc4 l 0;

    GatherQq = "vpgatherqq", Gather 32, P66 M0F38 0x91 w 1;
    GatherQd = "vpgatherqd", Gather 16, P66 M0F38 0x91;
    Test = "vptest", Test 32, P66 M0F38 0x17 only Bits256;

    LoadHalf = "vbroadcastf64x4", Broadcast 32, P66 M0F38 0x1b w 1 only Bits512;
    StoreLower = "vextractf64x4", Store 16, P66 M0F3A 0x1b w 1 only Bits512;
    InsertHalf = "vinsertf64x4", Binary 16, P66 M0F3A 0x1a w 1 only Bits512;
    ExtractHalf = "vextractf64x4", Extract 16, P66 M0F3A 0x1b w 1 only Bits512;
    ExtractQuarter = "vextracti32x4", Extract 8, P66 M0F3A 0x39 only Bits512;
    InsertQuarter = "vinserti32x4", Binary 8, P66 M0F3A 0x38 only Bits512;
    NarrowQ = "vpmovqd", Extract 16, F3 M0F38 0x35 only Bits512;
    NarrowD = "vpmovdw", Extract 16, F3 M0F38 0x33 only Bits512;
    NarrowW = "vpmovwb", Extract 16, F3 M0F38 0x30 only Bits512;
    MulQ = "vpmullq", Binary 32, P66 M0F38 0x40 w 1 only Bits512;
    SraQ = "vpsraq", Shift 32, P66 M0F 0x72 w 1 / 4 only Bits512;
    SravQ = "vpsravq", Binary 32, P66 M0F38 0x46 w 1 only Bits512;
    Ternary = "vpternlogd", Fused 32, P66 M0F3A 0x25 only Bits512;
    CompareSb = "vpcmpb", Compare 32, P66 M0F3A 0x3f only Bits512;
    CompareSw = "vpcmpw", Compare 32, P66 M0F3A 0x3f w 1 only Bits512;
    CompareSd = "vpcmpd", Compare 32, P66 M0F3A 0x1f only Bits512;
    CompareSq = "vpcmpq", Compare 32, P66 M0F3A 0x1f w 1 only Bits512;
    CompareUb = "vpcmpub", Compare 32, P66 M0F3A 0x3e only Bits512;
    CompareUw = "vpcmpuw", Compare 32, P66 M0F3A 0x3e w 1 only Bits512;
    CompareUd = "vpcmpud", Compare 32, P66 M0F3A 0x1e only Bits512;
    CompareUq = "vpcmpuq", Compare 32, P66 M0F3A 0x1e w 1 only Bits512;
    ChooseB = "vpblendmb", MaskedBlend 32, P66 M0F38 0x66 only Bits512;
    ChooseW = "vpblendmw", MaskedBlend 32, P66 M0F38 0x66 w 1 only Bits512;
    ChooseD = "vpblendmd", MaskedBlend 32, P66 M0F38 0x64 only Bits512;
    ChooseQ = "vpblendmq", MaskedBlend 32, P66 M0F38 0x64 w 1 only Bits512;
    SpreadB = "vpmovm2b", FromMask 32, F3 M0F38 0x28 only Bits512;
    SpreadW = "vpmovm2w", FromMask 32, F3 M0F38 0x28 w 1 only Bits512;
    SpreadD = "vpmovm2d", FromMask 32, F3 M0F38 0x38 only Bits512;
    SpreadQ = "vpmovm2q", FromMask 32, F3 M0F38 0x38 w 1 only Bits512;

    MaskMove = "kmovq", MaskUnary 8, None M0F 0x90 w 1 l 0 only Bits512;
    MaskLowB = "kmovb", MaskUnary 1, P66 M0F 0x90 l 0 only Bits512;
    MaskLowW = "kmovw", MaskUnary 2, None M0F 0x90 l 0 only Bits512;
    MaskLowD = "kmovd", MaskUnary 4, P66 M0F 0x90 w 1 l 0 only Bits512;
    MaskNotB = "knotb", MaskUnary 8, P66 M0F 0x44 l 0 only Bits512;
    MaskNotW = "knotw", MaskUnary 8, None M0F 0x44 l 0 only Bits512;
    MaskNotD = "knotd", MaskUnary 8, P66 M0F 0x44 w 1 l 0 only Bits512;
    MaskNotQ = "knotq", MaskUnary 8, None M0F 0x44 w 1 l 0 only Bits512;
    MaskShift = "kshiftrq", MaskUnary 8, P66 M0F3A 0x31 w 1 l 0 only Bits512;
    MaskAnd = "kandq", MaskBinary 8, None M0F 0x41 w 1 only Bits512;
    MaskOr = "korq", MaskBinary 8, None M0F 0x45 w 1 only Bits512;
    MaskXor = "kxorq", MaskBinary 8, None M0F 0x47 w 1 only Bits512;
    MaskOnesB = "kxnorb", MaskBinary 8, P66 M0F 0x46 only Bits512;
    MaskOnesW = "kxnorw", MaskBinary 8, None M0F 0x46 only Bits512;
    MaskOnesD = "kxnord", MaskBinary 8, P66 M0F 0x46 w 1 only Bits512;
    MaskOnesQ = "kxnorq", MaskBinary 8, None M0F 0x46 w 1 only Bits512;
    MaskJoinB = "kunpckbw", MaskBinary 8, P66 M0F 0x4b only Bits512;
    MaskJoinW = "kunpckwd", MaskBinary 8, None M0F 0x4b only Bits512;
    MaskJoinD = "kunpckdq", MaskBinary 8, None M0F 0x4b w 1 only Bits512;
    MaskStore = "kmovq", MaskStore 8, None M0F 0x91 w 1 l 0 only Bits512;
    MaskTest = "kortestq", MaskTest 8, None M0F 0x98 w 1 l 0 only Bits512;
}

impl Opcode {
    /// Whether the result is half as long as the vectors that it is made of.
    pub(super) fn halves(self) -> bool {
        matches!(self, Opcode::NarrowPd | Opcode::GatherQd)
    }

    /// Bytes of the lanes that the mask of a comparison is for.
    pub(super) fn compared(self) -> u8 {
        use Opcode::*;
        match self {
            CompareSb | CompareUb => 1,
            CompareSw | CompareUw => 2,
            CompareSd | CompareUd | CmpPs => 4,
            CompareSq | CompareUq | CmpPd => 8,
            _ => panic!("{self:?} gives no mask"),
        }
    }

    /// Whether the result is the same with the sources exchanged, NaN payload aside.
    pub(super) fn is_commutative(self) -> bool {
        use Opcode::*;
        matches!(
            self,
            AddPs
                | AddPd
                | MulPs
                | MulPd
                | AddB
                | AddW
                | AddD
                | AddQ
                | MulW
                | MulD
                | MulQ
                | MulLowHalves
                | And
                | Or
                | Xor
        ) || matches!(
            self,
            MinSb | MinSw | MinSd | MinUb | MinUw | MinUd | MaxSb | MaxSw | MaxSd | MaxUb | MaxUw | MaxUd
        ) || matches!(self, EqB | EqW | EqD | EqQ)
    }
}
