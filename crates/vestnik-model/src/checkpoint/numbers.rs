//! Floating-point numbers between the little-endian bytes of files and `f32`.

use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};
use safetensors::Dtype;

/// The floating-point types that weights may have on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Floats {
    F32,
    F16,
    Bf16,
    F64,
}

impl Floats {
    /// The type of these numbers, unless they are integers, quantised or otherwise no plain floats.
    pub(crate) fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Self::F32),
            Dtype::F16 => Some(Self::F16),
            Dtype::BF16 => Some(Self::Bf16),
            Dtype::F64 => Some(Self::F64),
            _ => None,
        }
    }

    pub(crate) fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::BF16,
            Self::F64 => Dtype::F64,
        }
    }

    /// Bytes of one number.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::F64 => 8,
        }
    }

    /// Appends the numbers that these bytes are, a whole number of them.
    pub(crate) fn decode(self, bytes: &[u8], values: &mut Vec<f32>) {
        let start = values.len();
        match self {
            Self::F32 => values.extend(parts(bytes).map(f32::from_le_bytes)),
            Self::F64 => values.extend(parts(bytes).map(|b| f64::from_le_bytes(b) as f32)),
            Self::F16 => {
                let halves: Vec<f16> = parts(bytes).map(f16::from_le_bytes).collect();
                values.resize(start + halves.len(), 0.0);
                halves.convert_to_f32_slice(&mut values[start..]);
            }
            Self::Bf16 => {
                let halves: Vec<bf16> = parts(bytes).map(bf16::from_le_bytes).collect();
                values.resize(start + halves.len(), 0.0);
                halves.convert_to_f32_slice(&mut values[start..]);
            }
        }
    }
}

/// The numbers as little-endian bytes of another type, rounded to the nearest.
pub(crate) fn encode(values: &[f32], floats: Floats) -> Vec<u8> {
    match floats {
        Floats::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Floats::F64 => values
            .iter()
            .flat_map(|x| f64::from(*x).to_le_bytes())
            .collect(),
        Floats::F16 => {
            let mut halves = vec![f16::ZERO; values.len()];
            halves.convert_from_f32_slice(values);
            halves.iter().flat_map(|x| x.to_le_bytes()).collect()
        }
        Floats::Bf16 => {
            let mut halves = vec![bf16::ZERO; values.len()];
            halves.convert_from_f32_slice(values);
            halves.iter().flat_map(|x| x.to_le_bytes()).collect()
        }
    }
}

fn parts<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_type_come_back() {
        let values = [0.0, -1.5, 0.25, 1024.0, -0.0];
        for floats in [Floats::F32, Floats::F16, Floats::Bf16, Floats::F64] {
            let bytes = encode(&values, floats);
            assert_eq!(bytes.len(), values.len() * floats.size());
            let mut back = vec![7.0];
            floats.decode(&bytes, &mut back);
            assert_eq!(back[1..], values, "{floats:?}");
        }
    }
}
