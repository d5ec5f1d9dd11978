//! The minimum of a smooth convex function by L-BFGS (Nocedal & Wright 2006, algorithms 7.4 and 7.5), with steps shortened
//! until they are good enough (Armijo).

use std::collections::VecDeque;

use ndarray::Array2;

/// Pairs of steps and changes of the gradient that are remembered.
const MEMORY: usize = 10;
/// Most steps; a few dozen are usual.
const STEPS: usize = 1000;
/// It ends where no partial derivative is larger.
const TOLERANCE: f64 = 1e-8;
/// The share of the decrease that the gradient promises which a step has to reach.
const SUFFICIENT: f64 = 1e-4;
/// Halvings of a step, after which it is below the precision of the numbers.
const HALVINGS: usize = 50;

struct Pair {
    step: Array2<f64>,
    change: Array2<f64>,
    /// Their inner product, above 0.
    product: f64,
}

/// A point and what the function is there.
struct Point {
    at: Array2<f64>,
    value: f64,
    gradient: Array2<f64>,
}

/// Where `function`, which gives its value and gradient, is smallest; begun at `start`.
pub(super) fn minimum(
    start: Array2<f64>,
    function: impl Fn(&Array2<f64>) -> (f64, Array2<f64>),
) -> Array2<f64> {
    let evaluate = |at: Array2<f64>| {
        let (value, gradient) = function(&at);
        Point {
            at,
            value,
            gradient,
        }
    };
    let mut point = evaluate(start);
    let mut pairs = VecDeque::with_capacity(MEMORY + 1);
    for _ in 0..STEPS {
        if point.gradient.iter().all(|g| g.abs() <= TOLERANCE) {
            break;
        }
        let direction = direction(&point.gradient, &pairs);
        let Some(next) = search(&point, &direction, evaluate) else {
            break;
        };
        remember(&mut pairs, &point, &next);
        point = next;
    }
    point.at
}

/// The first of the steps 1, 1/2, 1/4 … that decreases the function enough.
fn search(
    from: &Point,
    direction: &Array2<f64>,
    evaluate: impl Fn(Array2<f64>) -> Point,
) -> Option<Point> {
    let slope = inner(&from.gradient, direction);
    let mut steps = (0..HALVINGS).map(|n| 0.5_f64.powi(n as i32));
    steps.find_map(|length| {
        let next = evaluate(&from.at + &(direction * length));
        (next.value < from.value + SUFFICIENT * length * slope).then_some(next)
    })
}

fn remember(pairs: &mut VecDeque<Pair>, from: &Point, to: &Point) {
    let step = &to.at - &from.at;
    let change = &to.gradient - &from.gradient;
    let product = inner(&step, &change);
    if product > 0.0 {
        pairs.push_back(Pair {
            step,
            change,
            product,
        });
    }
    if pairs.len() > MEMORY {
        pairs.pop_front();
    }
}

/// Minus the gradient times the approximate inverse of the Hessian.
fn direction(gradient: &Array2<f64>, pairs: &VecDeque<Pair>) -> Array2<f64> {
    let mut direction = -gradient;
    let mut shares = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let share = inner(&pair.step, &direction) / pair.product;
        direction.scaled_add(-share, &pair.change);
        shares.push(share);
    }
    direction *= match pairs.back() {
        Some(last) => last.product / inner(&last.change, &last.change),
        None => 1.0 / inner(gradient, gradient).sqrt().max(1.0),
    };
    for (pair, share) in pairs.iter().zip(shares.into_iter().rev()) {
        let correction = inner(&pair.change, &direction) / pair.product;
        direction.scaled_add(share - correction, &pair.step);
    }
    direction
}

fn inner(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
