//! Parts of an engine by themselves, for its benches.

use crate::arithmetic::Arithmetic;
use crate::attention::{Head, HeadOutput};
use crate::buffer::Buffer;
use crate::engine::attend;
use crate::finish::Then;
use crate::linear::{Linear, Output};
use crate::operand::BLOCK;
#[cfg(target_arch = "x86_64")]
use crate::options::EngineDtype;
use crate::options::EngineOptions;
use crate::workspace::{HeadScratch, RowScratch};
#[cfg(target_arch = "x86_64")]
use crate::x86::peak;

/// Numbers between -1 and 1 that look random.
fn numbers(n: usize) -> Vec<f32> {
    let place = |i: usize| (i.wrapping_mul(7919) % 2003) as f32;
    (0..n).map(|i| place(i) / 1001.0 - 1.0).collect()
}

/// The product of rows by packed weights, the preparation of the rows included.
#[derive(Debug)]
pub struct Product {
    arithmetic: Arithmetic,
    linear: Linear,
    rows: Vec<f32>,
    /// Numbers between rows.
    stride: usize,
    depth: usize,
    out: Buffer<f32>,
    scratch: RowScratch,
}

impl Product {
    /// `n_rows` rows of `depth` numbers by weights for `outputs` outputs, a multiple of 32.
    #[must_use]
    pub fn new(options: &EngineOptions, [n_rows, outputs, depth]: [usize; 3]) -> Self {
        let arithmetic = Arithmetic::new(options);
        let stride = depth.next_multiple_of(BLOCK);
        Self {
            arithmetic,
            linear: Linear::new(arithmetic, numbers(outputs * depth), vec![], depth),
            rows: numbers(n_rows * stride),
            stride,
            depth,
            out: Buffer::zeros(n_rows * outputs),
            scratch: RowScratch::default(),
        }
    }

    /// Computes it once; gives one of the results.
    pub fn compute(&mut self) -> f32 {
        let scratch = &mut self.scratch;
        let rows = scratch
            .operands
            .prepare(self.arithmetic, &self.rows, self.stride, self.depth);
        let mut out = Output {
            stride: self.out.len() / rows.n_rows,
            data: &mut self.out,
        };
        self.linear
            .apply(rows, Then::Store, &mut out, &mut scratch.sums);
        self.out[0]
    }
}

/// The attention of one head over one sequence.
#[derive(Debug)]
pub struct Attention {
    arithmetic: Arithmetic,
    rows: Vec<f32>,
    length: usize,
    width: usize,
    out: Vec<f32>,
    scratch: HeadScratch,
}

impl Attention {
    /// Over `length` tokens, for a head of this width.
    #[must_use]
    pub fn new(options: &EngineOptions, length: usize, width: usize) -> Self {
        Self {
            arithmetic: Arithmetic::new(options),
            rows: numbers(3 * length * width),
            length,
            width,
            out: vec![0.0; length * width],
            scratch: HeadScratch::default(),
        }
    }

    /// Computes it once; gives one of the results.
    pub fn compute(&mut self) -> f32 {
        let head = Head {
            rows: &self.rows,
            stride: 3 * self.width,
            columns: [0, self.width, 2 * self.width],
            width: self.width,
            length: self.length,
            scale: (self.width as f32).sqrt().recip(),
            window: None,
            relative: None,
        };
        let out = HeadOutput {
            data: &mut self.out,
            stride: self.width,
        };
        attend(self.arithmetic, &head, &mut self.scratch, out);
        self.out[0]
    }
}

/// The most that one thread can do: multiplications and additions of numbers that are in registers already.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub struct Peak {
    processor: crate::x86::Processor,
    dtype: EngineDtype,
}

#[cfg(target_arch = "x86_64")]
impl Peak {
    /// Of bytes, or of `f32` numbers; `None` on processors without AVX2.
    #[must_use]
    pub fn new(dtype: EngineDtype) -> Option<Self> {
        crate::x86::Processor::detect().map(|processor| Self { processor, dtype })
    }

    /// Operations of a round.
    #[must_use]
    pub fn operations(&self) -> u64 {
        match self.dtype {
            EngineDtype::F32 => peak::float_operations(self.processor),
            EngineDtype::Int8 => peak::byte_operations(self.processor),
        }
    }

    /// Computes so many rounds.
    pub fn compute(&self, rounds: u64) {
        match self.dtype {
            EngineDtype::F32 => peak::floats(self.processor, rounds),
            EngineDtype::Int8 => peak::bytes(self.processor, rounds),
        }
    }
}
