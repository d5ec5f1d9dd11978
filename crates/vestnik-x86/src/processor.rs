//! Which instructions the processor has, and the system lets us use.

use std::arch::x86_64::__cpuid_count;

/// Proof that AVX-512 with VNNI may be used in this process, and proofs of what else may.
#[derive(Clone, Copy, Debug)]
pub struct Avx512 {
    bf16: Option<Bf16>,
    tiles: Option<Amx>,
}

/// Proof that AVX2 and FMA may be used in this process, and a proof of what else may.
#[derive(Clone, Copy, Debug)]
pub struct Avx2 {
    vnni: Option<AvxVnni>,
}

/// Proof that AVX2 may be used, with products of bytes.
#[derive(Clone, Copy, Debug)]
pub struct AvxVnni(());

/// Proof that AVX-512 may be used, with products of bf16 numbers.
#[derive(Clone, Copy, Debug)]
pub struct Bf16(());

/// Proof that tiles may be used, and all of AVX-512 with them.
#[derive(Clone, Copy, Debug)]
pub struct Amx(());

impl Avx2 {
    /// Asks the processor.
    #[must_use]
    pub fn detect() -> Option<Self> {
        let is_there = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let vnni = (is_there && is_x86_feature_detected!("avxvnni")).then_some(AvxVnni(()));
        is_there.then_some(Self { vnni })
    }

    /// The same processor, as if it had no products of bytes.
    #[must_use]
    pub fn without_vnni(self) -> Self {
        Self { vnni: None }
    }

    /// Products of bytes.
    #[must_use]
    pub fn vnni(self) -> Option<AvxVnni> {
        self.vnni
    }
}

impl Avx512 {
    /// Asks the processor, and the system for the right to use tiles.
    #[must_use]
    pub fn detect() -> Option<Self> {
        let is_there = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vnni");
        let bf16 = (is_there && is_x86_feature_detected!("avx512bf16")).then_some(Bf16(()));
        let tiles = (bf16.is_some() && has_tiles() && may_use_tiles()).then_some(Amx(()));
        is_there.then_some(Self { bf16, tiles })
    }

    /// The same processor, as if it had no tiles.
    #[must_use]
    pub fn without_tiles(self) -> Self {
        Self {
            tiles: None,
            ..self
        }
    }

    /// Products of bf16 numbers.
    #[must_use]
    pub fn bf16(self) -> Option<Bf16> {
        self.bf16
    }

    /// Tiles.
    #[must_use]
    pub fn tiles(self) -> Option<Amx> {
        self.tiles
    }
}

/// AMX-BF16, AMX-TILE and AMX-INT8: bits 22, 24 and 25 of EDX in leaf 7.
fn has_tiles() -> bool {
    const BITS: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).edx & BITS == BITS
}

/// `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`: Linux saves tiles only for processes that ask.
#[cfg(target_os = "linux")]
fn may_use_tiles() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;
    let answer: i64;
    // SAFETY: a system call that reads and writes no memory of ours; it clobbers rcx and r11.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => answer,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    answer == 0
}

/// Other systems are not asked.
#[cfg(not(target_os = "linux"))]
fn may_use_tiles() -> bool {
    false
}
