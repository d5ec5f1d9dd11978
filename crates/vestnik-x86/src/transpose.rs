//! Exchange of rows and columns in registers.

use std::arch::x86_64::{
    __m512i, _mm512_loadu_si512, _mm512_shuffle_i32x4, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

/// Rows, and columns of 4 bytes, of a tile.
pub const TILE: usize = 16;

/// Puts the first and second 16 of 32 16-bit numbers by turns.
///
/// # Safety
/// The processor has AVX-512.
#[must_use]
#[inline]
#[target_feature(enable = "avx512f")]
pub fn by_turns() -> __m512i {
    const INDICES: [u16; 32] = {
        let mut indices = [0; 32];
        let mut place = 0;
        while place < 32 {
            indices[place] = (place / 2 + place % 2 * 16) as u16;
            place += 1;
        }
        indices
    };
    // SAFETY: 64 bytes are read from 64 bytes.
    unsafe { _mm512_loadu_si512(INDICES.as_ptr().cast()) }
}

/// Exchanges vectors and elements of a 16 x 16 matrix of 4-byte elements: pairs of vectors are interleaved by elements of
/// 4, 8, 16 and 32 bytes.
///
/// # Safety
/// The processor has AVX-512.
#[must_use]
#[inline]
#[target_feature(enable = "avx512f")]
pub fn transposed(rows: [__m512i; TILE]) -> [__m512i; TILE] {
    let mut by_4 = rows;
    for i in (0..TILE).step_by(2) {
        by_4[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        by_4[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    let mut by_8 = by_4;
    for i in (0..TILE).step_by(4) {
        for half in 0..2 {
            by_8[i + 2 * half] = _mm512_unpacklo_epi64(by_4[i + half], by_4[i + half + 2]);
            by_8[i + 2 * half + 1] = _mm512_unpackhi_epi64(by_4[i + half], by_4[i + half + 2]);
        }
    }
    // by_8[4 g + c] holds, in its lane l, the elements of rows 4 g.. in column 4 l + c.
    let mut columns = rows;
    for c in 0..4 {
        let [a, b, d, e] = [by_8[c], by_8[4 + c], by_8[8 + c], by_8[12 + c]];
        let (low_ab, high_ab) = (
            _mm512_shuffle_i32x4::<0x88>(a, b),
            _mm512_shuffle_i32x4::<0xdd>(a, b),
        );
        let (low_de, high_de) = (
            _mm512_shuffle_i32x4::<0x88>(d, e),
            _mm512_shuffle_i32x4::<0xdd>(d, e),
        );
        columns[c] = _mm512_shuffle_i32x4::<0x88>(low_ab, low_de);
        columns[8 + c] = _mm512_shuffle_i32x4::<0xdd>(low_ab, low_de);
        columns[4 + c] = _mm512_shuffle_i32x4::<0x88>(high_ab, high_de);
        columns[12 + c] = _mm512_shuffle_i32x4::<0xdd>(high_ab, high_de);
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Avx512;

    fn vector(numbers: &[u32; TILE]) -> __m512i {
        // SAFETY: 64 bytes that may hold anything.
        unsafe { std::mem::transmute::<[u32; TILE], __m512i>(*numbers) }
    }

    fn numbers<const N: usize, T: Copy>(vector: __m512i) -> [T; N] {
        assert_eq!(size_of::<[T; N]>(), size_of::<__m512i>());
        // SAFETY: 64 bytes of integers, which may hold anything.
        unsafe { std::mem::transmute_copy(&vector) }
    }

    #[test]
    fn rows_and_columns_are_exchanged() {
        if Avx512::detect().is_none() {
            return eprintln!("skipped: no AVX-512");
        }
        let matrix: [[u32; TILE]; TILE] =
            std::array::from_fn(|row| std::array::from_fn(|column| (100 * row + column) as u32));
        // SAFETY: AVX-512 is there.
        let columns = unsafe { transposed(matrix.each_ref().map(vector)) };
        for (index, column) in columns.into_iter().enumerate() {
            let expected: [u32; TILE] = std::array::from_fn(|row| matrix[row][index]);
            assert_eq!(numbers::<TILE, u32>(column), expected);
        }
    }

    #[test]
    fn halves_come_by_turns() {
        if Avx512::detect().is_none() {
            return eprintln!("skipped: no AVX-512");
        }
        // SAFETY: AVX-512 is there.
        let indices = numbers::<32, u16>(unsafe { by_turns() });
        assert_eq!(indices[..6], [0, 16, 1, 17, 2, 18]);
        assert_eq!(indices[30..], [15, 31]);
    }
}
