//! Which sequences share a forward pass.

/// Puts sequences of these lengths into batches of at most `budget` tokens each, longest first.
///
/// Every sequence is in exactly one batch; one that is longer than the budget has a batch of its own. Sequences of
/// like length are together, so that no engine that pads has much to pad.
pub(crate) fn pack(lengths: &[usize], budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(lengths[i]));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut used = 0;
    for i in order {
        match batches.last_mut() {
            Some(batch) if used + lengths[i] <= budget => batch.push(i),
            _ => {
                batches.push(vec![i]);
                used = 0;
            }
        }
        used += lengths[i];
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_holds_and_nothing_is_lost() {
        let lengths = [3, 9, 1, 5, 4, 12, 2];
        let batches = pack(&lengths, 10);
        assert_eq!(batches, [vec![5], vec![1], vec![3, 4], vec![0, 6, 2]]);
    }

    #[test]
    fn equal_lengths_keep_their_order() {
        assert_eq!(pack(&[2, 2, 2], 4), [vec![0, 1], vec![2]]);
        assert!(pack(&[], 4).is_empty());
    }
}
