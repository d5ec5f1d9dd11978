//! Views into storages, made contiguous.

/// Whether every number of a view lies within `len` numbers, and there are not more of them than the storage has: a
/// view may repeat numbers (stride 0), and a small file could ask for any amount.
pub(super) fn fits(offset: usize, shape: &[usize], stride: &[usize], len: usize) -> bool {
    let Some(n) = shape
        .iter()
        .try_fold(1usize, |n, size| n.checked_mul(*size))
    else {
        return false;
    };
    if n == 0 {
        return true;
    }
    let mut steps = shape.iter().zip(stride);
    let last = steps.try_fold(offset, |last, (size, step)| {
        last.checked_add((size - 1).checked_mul(*step)?)
    });
    n <= len && last.is_some_and(|last| last < len)
}

/// The bytes of a view that [`fits`], in the order of its shape, last dimension fastest; numbers have `size` bytes.
pub(super) fn contiguous(
    storage: &[u8],
    size: usize,
    offset: usize,
    shape: &[usize],
    stride: &[usize],
) -> Vec<u8> {
    let n: usize = shape.iter().product();
    if n == 0 {
        return vec![];
    }
    if stride == row_major(shape) {
        return storage[offset * size..(offset + n) * size].to_vec();
    }
    let mut bytes = Vec::with_capacity(n * size);
    let mut index = vec![0; shape.len()];
    let mut place = offset;
    for _ in 0..n {
        bytes.extend_from_slice(&storage[place * size..(place + 1) * size]);
        advance(&mut index, &mut place, shape, stride);
    }
    bytes
}

/// Steps to the next index in the order of the shape, and moves its place in the storage along.
fn advance(index: &mut [usize], place: &mut usize, shape: &[usize], stride: &[usize]) {
    for dimension in (0..shape.len()).rev() {
        index[dimension] += 1;
        *place += stride[dimension];
        if index[dimension] < shape[dimension] {
            return;
        }
        *place -= stride[dimension] * shape[dimension];
        index[dimension] = 0;
    }
}

fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut stride = vec![1; shape.len()];
    for dimension in (1..shape.len()).rev() {
        stride[dimension - 1] = stride[dimension] * shape[dimension];
    }
    stride
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_put_in_order() {
        let storage: Vec<u8> = (0..12).collect();
        assert_eq!(
            contiguous(&storage, 1, 1, &[2, 3], &[3, 1]),
            [1, 2, 3, 4, 5, 6]
        );
        assert_eq!(
            contiguous(&storage, 1, 0, &[3, 2], &[1, 3]),
            [0, 3, 1, 4, 2, 5]
        );
        assert_eq!(contiguous(&storage, 2, 1, &[2], &[2]), [2, 3, 6, 7]);
        assert_eq!(contiguous(&storage, 4, 2, &[], &[]), [8, 9, 10, 11]);
        assert!(contiguous(&storage, 4, 9, &[0, 7], &[7, 1]).is_empty());
    }

    #[test]
    fn views_beyond_their_storage_are_seen() {
        assert!(fits(2, &[2, 5], &[5, 1], 12));
        assert!(!fits(3, &[2, 5], &[5, 1], 12));
        assert!(!fits(0, &[1 << 40], &[0], 4));
        assert!(!fits(0, &[usize::MAX, 2], &[1, 1], 4));
        assert!(!fits(usize::MAX, &[2], &[usize::MAX], 4));
        assert!(fits(0, &[1, 4], &[0, 1], 4));
        assert!(fits(9, &[0, 4], &[4, 1], 0));
    }
}
