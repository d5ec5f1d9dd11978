//! Kernels for processors with AMX tiles (Intel Sapphire Rapids and later): matrix products of bytes and of bf16
//! numbers, and the attention around them.
//!
//! Rust has no intrinsics for tiles in its stable edition, so the products are inline assembly; everything around them
//! uses AVX-512, which is there wherever AMX is. Formats follow Intel's optimization manual, chapter on AMX.
#![allow(unsafe_code)]

mod attention;
mod packing;
mod product;
mod softmax;
mod tiles;

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;

pub(crate) use attention::{AttentionScratch, attend};
pub(crate) use packing::{PARTS, split_rows, split_weights, weights_of_bytes};
pub(crate) use product::{multiply_bytes, multiply_split};
pub(crate) use tiles::Tiles;

/// Proof that the instructions may be used in this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amx(());

impl Amx {
    /// Asks the processor, and the system for the right to use tiles.
    pub(crate) fn detect() -> Option<Self> {
        (has_avx512() && has_tiles() && may_use_tiles()).then_some(Self(()))
    }
}

fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bf16")
}

/// AMX-BF16, AMX-TILE and AMX-INT8: bits 22, 24 and 25 of EDX in leaf 7.
fn has_tiles() -> bool {
    const BITS: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).edx & BITS == BITS
}

/// `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`: Linux saves tiles only for processes that ask.
fn may_use_tiles() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;
    let answer: i64;
    // SAFETY: a system call that reads and writes no memory of ours; it clobbers rcx and r11.
    unsafe {
        asm!(
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
