//! What the processor can do at most: products of numbers that are in registers already.

use std::arch::x86_64::{
    _mm256_add_epi16, _mm256_add_epi32, _mm256_dpbusd_avx_epi32, _mm256_fmadd_ps,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_setzero_si256, _mm512_dpbusd_epi32, _mm512_fmadd_ps,
    _mm512_set1_epi8, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512,
};
use std::hint::black_box;

use super::{Avx2, Avx512, AvxVnni, Processor};

/// Sums that do not wait for each other: more than the instructions under way, and with the factors no more than registers.
const AVX512_SUMS: usize = 16;
const AVX2_FLOAT_SUMS: usize = 12;
const AVX2_VNNI_SUMS: usize = 12;
/// Each of them has two products beside it.
const AVX2_BYTE_SUMS: usize = 8;

/// Multiplications and additions in a round of [`bytes`].
pub(crate) fn byte_operations(processor: Processor) -> u64 {
    let (bytes, sums) = match processor {
        Processor::Avx512(_) => (64, AVX512_SUMS),
        Processor::Avx2(processor) if processor.vnni().is_some() => (32, AVX2_VNNI_SUMS),
        // Two vectors at once.
        Processor::Avx2(_) => (2 * 32, AVX2_BYTE_SUMS),
    };
    2 * bytes * sums as u64
}

/// Multiplications and additions in a round of [`floats`].
pub(crate) fn float_operations(processor: Processor) -> u64 {
    let (numbers, sums) = match processor {
        Processor::Avx512(_) => (16, AVX512_SUMS),
        Processor::Avx2(_) => (8, AVX2_FLOAT_SUMS),
    };
    2 * numbers * sums as u64
}

/// Multiplies bytes for so many rounds.
pub(crate) fn bytes(processor: Processor, rounds: u64) {
    // SAFETY: the proofs say that the instructions are there.
    unsafe {
        match processor {
            Processor::Avx512(proof) => bytes_by_avx512(proof, rounds),
            Processor::Avx2(proof) => match proof.vnni() {
                Some(vnni) => bytes_by_avx_vnni(vnni, rounds),
                None => bytes_by_avx2(proof, rounds),
            },
        }
    }
}

/// Multiplies `f32` numbers for so many rounds.
pub(crate) fn floats(processor: Processor, rounds: u64) {
    // SAFETY: as above.
    unsafe {
        match processor {
            Processor::Avx512(proof) => floats_by_avx512(proof, rounds),
            Processor::Avx2(proof) => floats_by_avx2(proof, rounds),
        }
    }
}

#[target_feature(enable = "avx512f,avx512vnni")]
fn bytes_by_avx512(_: Avx512, rounds: u64) {
    let mut sums = [_mm512_setzero_si512(); AVX512_SUMS];
    let factors = black_box([_mm512_set1_epi8(1), _mm512_set1_epi8(2)]);
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm512_dpbusd_epi32(*sum, factors[0], factors[1]);
        }
    }
    black_box(sums);
}

#[target_feature(enable = "avx512f")]
fn floats_by_avx512(_: Avx512, rounds: u64) {
    let mut sums = [_mm512_setzero_ps(); AVX512_SUMS];
    let factors = black_box([_mm512_set1_ps(1.0001), _mm512_set1_ps(0.9)]);
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(*sum, factors[0], factors[1]);
        }
    }
    black_box(sums);
}

#[target_feature(enable = "avx2,avxvnni")]
fn bytes_by_avx_vnni(_: AvxVnni, rounds: u64) {
    let mut sums = [_mm256_setzero_si256(); AVX2_VNNI_SUMS];
    let factors = black_box([_mm256_set1_epi8(1), _mm256_set1_epi8(2)]);
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm256_dpbusd_avx_epi32(*sum, factors[0], factors[1]);
        }
    }
    black_box(sums);
}

#[target_feature(enable = "avx2")]
fn bytes_by_avx2(_: Avx2, rounds: u64) {
    let mut sums = [_mm256_setzero_si256(); AVX2_BYTE_SUMS];
    let factors = black_box([_mm256_set1_epi8(1), _mm256_set1_epi8(2)]);
    let ones = _mm256_set1_epi16(1);
    for _ in 0..rounds {
        for sum in &mut sums {
            // The sum is one of the factors, so that nothing can be computed once for all rounds.
            let products = factors.map(|factor| _mm256_maddubs_epi16(factor, *sum));
            let both = _mm256_add_epi16(products[0], products[1]);
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(both, ones));
        }
    }
    black_box(sums);
}

#[target_feature(enable = "avx2,fma")]
fn floats_by_avx2(_: Avx2, rounds: u64) {
    let mut sums = [_mm256_setzero_ps(); AVX2_FLOAT_SUMS];
    let factors = black_box([_mm256_set1_ps(1.0001), _mm256_set1_ps(0.9)]);
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(*sum, factors[0], factors[1]);
        }
    }
    black_box(sums);
}
