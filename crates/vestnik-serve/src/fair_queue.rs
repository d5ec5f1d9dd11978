//! A queue that is fair between clients: whoever has a sentence does not wait for somebody else's ten thousand.

use std::collections::VecDeque;

/// Things that wait, each with a cost, in requests of clients.
///
/// The next thing comes from the client that has been served least, by cost; of one client's requests each gives one
/// thing in turn. A client that comes anew starts where the one that was served last stands, so that it neither waits
/// for the others nor has saved up turns (start-time fair queueing: Goyal, Vin & Cheng 1996).
#[derive(Debug)]
pub(crate) struct FairQueue<C, T> {
    flows: Vec<Flow<C, T>>,
    len: usize,
    cost: usize,
    /// Where the client stood that was served last.
    clock: u64,
}

/// What one client waits for.
#[derive(Debug)]
struct Flow<C, T> {
    client: C,
    /// Cost that it was served so far.
    served: u64,
    requests: VecDeque<Waiting<T>>,
}

/// What is left of a request.
#[derive(Debug)]
struct Waiting<T> {
    request: u64,
    things: VecDeque<(usize, T)>,
}

impl<C: PartialEq, T> FairQueue<C, T> {
    pub(crate) fn new() -> Self {
        Self {
            flows: Vec::new(),
            len: 0,
            cost: 0,
            clock: 0,
        }
    }

    /// Number of things.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Sum of their costs.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// Number of things of one client.
    pub(crate) fn len_of(&self, client: &C) -> usize {
        let flow = self.flows.iter().find(|flow| flow.client == *client);
        flow.map_or(0, |flow| {
            flow.requests
                .iter()
                .map(|waiting| waiting.things.len())
                .sum()
        })
    }

    /// Puts the things of a request behind those of the same client, each with its cost.
    pub(crate) fn push(&mut self, client: C, request: u64, things: VecDeque<(usize, T)>) {
        if things.is_empty() {
            return;
        }
        self.len += things.len();
        self.cost += things.iter().map(|(cost, _)| cost).sum::<usize>();
        let waiting = Waiting { request, things };
        match self.flows.iter_mut().find(|flow| flow.client == client) {
            Some(flow) => flow.requests.push_back(waiting),
            None => self.flows.push(Flow {
                client,
                served: self.clock,
                requests: VecDeque::from([waiting]),
            }),
        }
    }

    /// Things whose turn it is, as many as the budget has room for; at least one if there is any.
    pub(crate) fn take(&mut self, budget: usize) -> Vec<T> {
        let mut taken = Vec::new();
        let mut spent = 0;
        while let Some(flow) = self.next_flow() {
            let cost = self.flows[flow].next_cost();
            if spent + cost > budget && !taken.is_empty() {
                break;
            }
            spent += cost;
            taken.push(self.take_from(flow));
        }
        taken
    }

    /// What is left of a request leaves the queue.
    pub(crate) fn remove(&mut self, request: u64) -> Vec<T> {
        let mut removed = Vec::new();
        for flow in &mut self.flows {
            let Some(place) = flow
                .requests
                .iter()
                .position(|waiting| waiting.request == request)
            else {
                continue;
            };
            removed.extend(
                flow.requests
                    .remove(place)
                    .into_iter()
                    .flat_map(|waiting| waiting.things),
            );
        }
        self.flows.retain(|flow| !flow.requests.is_empty());
        self.len -= removed.len();
        self.cost -= removed.iter().map(|(cost, _)| cost).sum::<usize>();
        removed.into_iter().map(|(_, thing)| thing).collect()
    }

    /// The client that has been served least; of equals the one that came first.
    fn next_flow(&self) -> Option<usize> {
        (0..self.flows.len()).min_by_key(|&flow| self.flows[flow].served)
    }

    fn take_from(&mut self, place: usize) -> T {
        let flow = &mut self.flows[place];
        self.clock = flow.served;
        let (cost, thing) = flow.next();
        flow.served += cost as u64;
        if flow.requests.is_empty() {
            self.flows.remove(place);
        }
        self.len -= 1;
        self.cost -= cost;
        thing
    }
}

impl<C, T> Flow<C, T> {
    fn next_cost(&self) -> usize {
        let next = self
            .requests
            .front()
            .and_then(|waiting| waiting.things.front());
        next.map_or(0, |(cost, _)| *cost)
    }

    /// The next thing; the request it is of goes behind the client's others.
    fn next(&mut self) -> (usize, T) {
        let mut waiting = self
            .requests
            .pop_front()
            .expect("a flow without requests is removed");
        let next = waiting
            .things
            .pop_front()
            .expect("a request without things is removed");
        if !waiting.things.is_empty() {
            self.requests.push_back(waiting);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn things(costs: &[usize], name: &str) -> VecDeque<(usize, String)> {
        let named = costs.iter().enumerate();
        named
            .map(|(place, cost)| (*cost, format!("{name}{place}")))
            .collect()
    }

    #[test]
    fn one_sentence_does_not_wait_for_ten_thousand_texts() {
        let mut queue = FairQueue::new();
        queue.push("many", 1, things(&[10; 10_000], "m"));
        assert_eq!(queue.take(30), ["m0", "m1", "m2"]);
        queue.push("one", 2, things(&[5], "o"));
        assert!(queue.take(30).contains(&"o0".to_owned()));
        assert_eq!((queue.len(), queue.len_of(&"one")), (10_000 - 5, 0));
    }

    #[test]
    fn clients_get_equal_shares_by_cost() {
        let mut queue = FairQueue::new();
        queue.push("long", 1, things(&[30; 100], "l"));
        queue.push("short", 2, things(&[10; 100], "s"));
        let taken = queue.take(600);
        let of_short = taken.iter().filter(|thing| thing.starts_with('s')).count();
        assert_eq!((taken.len(), of_short), (40, 30));
    }

    #[test]
    fn requests_of_one_client_take_turns() {
        let mut queue = FairQueue::new();
        queue.push("a", 1, things(&[1, 1, 1], "x"));
        queue.push("a", 2, things(&[1, 1], "y"));
        assert_eq!(queue.take(9), ["x0", "y0", "x1", "y1", "x2"]);
    }

    #[test]
    fn a_thing_beyond_the_budget_goes_alone() {
        let mut queue = FairQueue::new();
        queue.push("a", 1, things(&[50, 1], "x"));
        assert_eq!(queue.take(10), ["x0"]);
        assert_eq!(queue.take(10), ["x1"]);
        assert!(queue.take(10).is_empty());
    }

    #[test]
    fn a_client_that_was_away_has_saved_up_no_turns() {
        let mut queue = FairQueue::new();
        queue.push("busy", 1, things(&[10; 100], "b"));
        queue.take(500);
        queue.push("back", 2, things(&[10; 100], "k"));
        let taken = queue.take(200);
        let of_back = taken.iter().filter(|thing| thing.starts_with('k')).count();
        assert!((9..=11).contains(&of_back), "{taken:?}");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_counts_hold(
            pushes in prop::collection::vec((0u8..4, prop::collection::vec(0usize..40, 0..6)), 0..12),
            removed in 0u64..12,
            budget in 1usize..60,
        ) {
            let mut queue = FairQueue::new();
            let mut expected: Vec<(u64, usize)> = Vec::new();
            for (request, (client, costs)) in (0..).zip(&pushes) {
                let named = costs.iter().enumerate().map(|(place, cost)| (*cost, (request, place)));
                queue.push(*client, request, named.collect());
                expected.extend((0..costs.len()).map(|place| (request, place)));
            }
            prop_assert_eq!(queue.len(), expected.len());
            let gone = queue.remove(removed);
            prop_assert!(gone.iter().all(|(request, _)| *request == removed));
            expected.retain(|(request, _)| *request != removed);
            let mut found = Vec::new();
            while queue.len() > 0 {
                let cost_before = queue.cost();
                let taken = queue.take(budget);
                prop_assert!(!taken.is_empty());
                prop_assert!(cost_before - queue.cost() <= budget || taken.len() == 1);
                found.extend(taken);
            }
            prop_assert_eq!(queue.cost(), 0);
            found.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
