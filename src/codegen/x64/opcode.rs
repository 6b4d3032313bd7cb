//! The table of vector instructions: name, shape of the operands, what is read from memory, and how it is encoded; one row each.

/// Which operands an instruction has, in the order in which the register allocator is told of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Result, source in a register or memory.
    Unary,
    /// Result, first source, second source in a register or memory.
    Binary,
    /// As `Binary`, but the result takes the place of the first source.
    Fused,
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
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// Bytes of the operand that may be in memory.
    pub(super) bytes: u32,
    /// Whether vectors are of 32 bytes, not of 16.
    pub(super) wide: bool,
    pub(super) prefix: Prefix,
    pub(super) map: Map,
    pub(super) w: bool,
    pub(super) code: u8,
    /// The digit of a `Shift`.
    pub(super) digit: u8,
}

macro_rules! opcodes {
    ($($op:ident = $name:literal, $shape:ident $bytes:literal, $prefix:ident $map:ident $code:literal $(w $w:literal)? $(/ $digit:literal)? $(l $wide:literal)?;)+) => {
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
                    shape: Shape::$shape,
                    bytes: $bytes,
                    wide: true $(&& $wide != 0)?,
                    prefix: Prefix::$prefix,
                    map: Map::$map,
                    w: false $(|| $w != 0)?,
                    code: $code,
                    digit: 0 $(+ $digit)?,
                }),+];
                &ROWS[self as usize]
            }
        }
    };
}

opcodes! {
    Load = "vmovups", Unary 32, None M0F 0x10;
    Move = "vmovaps", Unary 32, None M0F 0x28;
    Broadcast128 = "vbroadcastf128", Unary 16, P66 M0F38 0x1a;
    Broadcast64 = "vbroadcastsd", Unary 8, P66 M0F38 0x19;
    Broadcast32 = "vbroadcastss", Unary 4, P66 M0F38 0x18;
    Broadcast16 = "vpbroadcastw", Unary 2, P66 M0F38 0x79;
    Broadcast8 = "vpbroadcastb", Unary 1, P66 M0F38 0x78;
    Store = "vmovups", Store 32, None M0F 0x11;
    StorePast = "vmovntps", Store 32, None M0F 0x2b;
    StoreHalf = "vmovups", Store 16, None M0F 0x11 l 0;
    Store64 = "vmovq", Store 8, P66 M0F 0xd6 l 0;
    Store32 = "vmovd", Store 4, P66 M0F 0x7e l 0;

    AddPs = "vaddps", Binary 32, None M0F 0x58;
    AddPd = "vaddpd", Binary 32, P66 M0F 0x58;
    SubPs = "vsubps", Binary 32, None M0F 0x5c;
    SubPd = "vsubpd", Binary 32, P66 M0F 0x5c;
    MulPs = "vmulps", Binary 32, None M0F 0x59;
    MulPd = "vmulpd", Binary 32, P66 M0F 0x59;
    DivPs = "vdivps", Binary 32, None M0F 0x5e;
    DivPd = "vdivpd", Binary 32, P66 M0F 0x5e;
    MinPs = "vminps", Binary 32, None M0F 0x5d;
    MinPd = "vminpd", Binary 32, P66 M0F 0x5d;
    MaxPs = "vmaxps", Binary 32, None M0F 0x5f;
    MaxPd = "vmaxpd", Binary 32, P66 M0F 0x5f;
    SqrtPs = "vsqrtps", Unary 32, None M0F 0x51;
    SqrtPd = "vsqrtpd", Unary 32, P66 M0F 0x51;
    RoundPs = "vroundps", Unary 32, P66 M0F3A 0x08;
    RoundPd = "vroundpd", Unary 32, P66 M0F3A 0x09;
    CmpPs = "vcmpps", Binary 32, None M0F 0xc2;
    CmpPd = "vcmppd", Binary 32, P66 M0F 0xc2;

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
    AddQ = "vpaddq", Binary 32, P66 M0F 0xd4;
    SubB = "vpsubb", Binary 32, P66 M0F 0xf8;
    SubW = "vpsubw", Binary 32, P66 M0F 0xf9;
    SubD = "vpsubd", Binary 32, P66 M0F 0xfa;
    SubQ = "vpsubq", Binary 32, P66 M0F 0xfb;
    MulW = "vpmullw", Binary 32, P66 M0F 0xd5;
    MulD = "vpmulld", Binary 32, P66 M0F38 0x40;
    MulLowHalves = "vpmuludq", Binary 32, P66 M0F 0xf4;
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
    And = "vpand", Binary 32, P66 M0F 0xdb;
    Or = "vpor", Binary 32, P66 M0F 0xeb;
    Xor = "vpxor", Binary 32, P66 M0F 0xef;
    EqB = "vpcmpeqb", Binary 32, P66 M0F 0x74;
    EqW = "vpcmpeqw", Binary 32, P66 M0F 0x75;
    EqD = "vpcmpeqd", Binary 32, P66 M0F 0x76;
    EqQ = "vpcmpeqq", Binary 32, P66 M0F38 0x29;
    GtB = "vpcmpgtb", Binary 32, P66 M0F 0x64;
    GtW = "vpcmpgtw", Binary 32, P66 M0F 0x65;
    GtD = "vpcmpgtd", Binary 32, P66 M0F 0x66;
    GtQ = "vpcmpgtq", Binary 32, P66 M0F38 0x37;

    SllW = "vpsllw", Shift 32, P66 M0F 0x71 / 6;
    SrlW = "vpsrlw", Shift 32, P66 M0F 0x71 / 2;
    SraW = "vpsraw", Shift 32, P66 M0F 0x71 / 4;
    SllD = "vpslld", Shift 32, P66 M0F 0x72 / 6;
    SrlD = "vpsrld", Shift 32, P66 M0F 0x72 / 2;
    SraD = "vpsrad", Shift 32, P66 M0F 0x72 / 4;
    SllQ = "vpsllq", Shift 32, P66 M0F 0x73 / 6;
    SrlQ = "vpsrlq", Shift 32, P66 M0F 0x73 / 2;
    SllvD = "vpsllvd", Binary 32, P66 M0F38 0x47;
    SllvQ = "vpsllvq", Binary 32, P66 M0F38 0x47 w 1;
    SrlvD = "vpsrlvd", Binary 32, P66 M0F38 0x45;
    SrlvQ = "vpsrlvq", Binary 32, P66 M0F38 0x45 w 1;
    SravD = "vpsravd", Binary 32, P66 M0F38 0x46;

    BlendPs = "vblendvps", Blend 32, P66 M0F3A 0x4a;
    BlendPd = "vblendvpd", Blend 32, P66 M0F3A 0x4b;
    BlendB = "vpblendvb", Blend 32, P66 M0F3A 0x4c;

    WidenSb = "vpmovsxbw", Unary 16, P66 M0F38 0x20;
    WidenSw = "vpmovsxwd", Unary 16, P66 M0F38 0x23;
    WidenSd = "vpmovsxdq", Unary 16, P66 M0F38 0x25;
    WidenUb = "vpmovzxbw", Unary 16, P66 M0F38 0x30;
    WidenUw = "vpmovzxwd", Unary 16, P66 M0F38 0x33;
    WidenUd = "vpmovzxdq", Unary 16, P66 M0F38 0x35;
    WidenPs = "vcvtps2pd", Unary 16, None M0F 0x5a;
    NarrowPd = "vcvtpd2ps", Unary 32, P66 M0F 0x5a;
    FloatD = "vcvtdq2ps", Unary 32, None M0F 0x5b;
    FloatHalf = "vcvtdq2pd", Unary 16, F3 M0F 0xe6;
    PackSw = "vpacksswb", Binary 32, P66 M0F 0x63;
    PackSd = "vpackssdw", Binary 32, P66 M0F 0x6b;
    PackUw = "vpackuswb", Binary 32, P66 M0F 0x67;
    PackUd = "vpackusdw", Binary 32, P66 M0F38 0x2b;
    ShufflePs = "vshufps", Binary 32, None M0F 0xc6;
    PermuteQ = "vpermq", Unary 32, P66 M0F3A 0x00 w 1;
    Insert128 = "vinsertf128", Binary 16, P66 M0F3A 0x18;
    Extract128 = "vextractf128", Extract 16, P66 M0F3A 0x19;

    ExtractQ = "vpextrq", ToGeneral 8, P66 M0F3A 0x16 w 1 l 0;
    InsertB = "vpinsrb", Binary 1, P66 M0F3A 0x20 l 0;
    InsertW = "vpinsrw", Binary 2, P66 M0F 0xc4 l 0;

    GatherQq = "vpgatherqq", Gather 32, P66 M0F38 0x91 w 1;
    GatherQd = "vpgatherqd", Gather 16, P66 M0F38 0x91;
    Test = "vptest", Test 32, P66 M0F38 0x17;
}

impl Opcode {
    /// Whether the result is the same with the sources exchanged, NaN payload aside.
    pub(super) fn is_commutative(self) -> bool {
        use Opcode::*;
        matches!(
            self,
            AddPs | AddPd | MulPs | MulPd | AddB | AddW | AddD | AddQ | MulW | MulD | MulLowHalves | And | Or | Xor
        ) || matches!(
            self,
            MinSb | MinSw | MinSd | MinUb | MinUw | MinUd | MaxSb | MaxSw | MaxSd | MaxUb | MaxUw | MaxUd
        ) || matches!(self, EqB | EqW | EqD | EqQ)
    }
}
