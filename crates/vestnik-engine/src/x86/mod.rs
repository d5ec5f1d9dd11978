//! Kernels for x86-64 processors with AVX-512: matrix products of bytes, of bf16 and of `f32` numbers, and the attention
//! around them.
//!
//! Blocks of results are computed by AMX tiles where there are any (Intel Sapphire Rapids and later), else by vectors
//! (AVX-512 with VNNI: Intel Cascade Lake, AMD Zen 4, and later). Both read the same packed factors. Rust has no intrinsics
//! for tiles in its stable edition, so their products are inline assembly; formats follow Intel's optimization manual,
//! chapter on AMX.
#![allow(unsafe_code)]

mod attention;
mod blocks;
mod packing;
pub(crate) mod peak;
mod product;
mod softmax;
mod tiles;
mod vectors;

use std::arch::x86_64::__cpuid_count;

pub(crate) use attention::{AttentionScratch, attend};
pub(crate) use blocks::Blocks;
pub(crate) use packing::{PARTS, split_rows, split_weights, weights_of_bytes, weights_of_floats};
pub(crate) use product::{multiply_bytes, multiply_floats, multiply_split};
pub(crate) use tiles::Tiles;

/// Proof that AVX-512 with VNNI may be used in this process, and proofs of what else may.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512 {
    bf16: Option<Bf16>,
    tiles: Option<Amx>,
}

/// Proof that AVX-512 may be used, with products of bf16 numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bf16(());

/// Proof that tiles may be used, and all of AVX-512 with them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amx(());

impl Avx512 {
    /// Asks the processor, and the system for the right to use tiles.
    pub(crate) fn detect() -> Option<Self> {
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
    pub(crate) fn without_tiles(self) -> Self {
        Self {
            tiles: None,
            ..self
        }
    }

    pub(crate) fn bf16(self) -> Option<Bf16> {
        self.bf16
    }

    pub(crate) fn tiles(self) -> Option<Amx> {
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
