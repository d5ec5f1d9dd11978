//! Which products an engine computes, and the processor's part in it.

use rten_gemm::GemmExecutor;

#[cfg(target_arch = "x86_64")]
use crate::options::Kernels;
use crate::options::{EngineDtype, EngineOptions};
use crate::rows::Layout;

#[cfg(target_arch = "x86_64")]
use crate::x86::{Amx, Processor};

/// How products are computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arithmetic {
    pub(crate) dtype: EngineDtype,
    /// Kernels of our own for this processor.
    #[cfg(target_arch = "x86_64")]
    pub(crate) processor: Option<Processor>,
}

impl Arithmetic {
    pub(crate) fn new(options: &EngineOptions) -> Self {
        Self {
            dtype: options.dtype,
            #[cfg(target_arch = "x86_64")]
            processor: match options.kernels {
                Kernels::Fastest => Processor::detect(),
                Kernels::Avx512 => Processor::vectors(),
                Kernels::AvxVnni => Processor::avx_vnni(),
                Kernels::Avx2 => Processor::avx2(),
                Kernels::Portable => None,
            },
        }
    }

    /// Tiles, if products are computed by them.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn tiles(&self) -> Option<Amx> {
        self.processor?.tiles()
    }

    /// How rows of bytes lie in memory.
    pub(crate) fn layout(&self) -> Layout {
        #[cfg(target_arch = "x86_64")]
        if self.tiles().is_some() {
            return Layout::Steps;
        }
        Layout::Rows
    }

    /// The largest byte of rows.
    pub(crate) fn largest_byte(&self) -> u8 {
        #[cfg(target_arch = "x86_64")]
        if let Some(processor) = self.processor {
            return processor.largest_bytes().0;
        }
        u8::MAX
    }

    /// The largest byte of weights whose products with those of rows are exact.
    pub(crate) fn largest_weight(&self) -> i8 {
        #[cfg(target_arch = "x86_64")]
        if let Some(processor) = self.processor {
            return processor.largest_bytes().1;
        }
        // Sums of two products are 16 bits wide in AVX2 without VNNI.
        let may_saturate = GemmExecutor::<u8, i8, i32>::new().may_saturate();
        if may_saturate { 63 } else { i8::MAX }
    }

    /// That of a layer.
    pub(crate) fn of_layer(self, layer: usize, options: &EngineOptions) -> Self {
        let dtype = match options.f32_layers.contains(&layer) {
            true => EngineDtype::F32,
            false => self.dtype,
        };
        Self { dtype, ..self }
    }

    /// A name of the kernels for people.
    pub(crate) fn name(&self) -> &'static str {
        #[cfg(target_arch = "x86_64")]
        match self.processor {
            Some(processor) if processor.tiles().is_some() => return "amx",
            Some(Processor::Avx512(_)) => return "avx512",
            Some(Processor::Avx2(processor)) if processor.vnni().is_some() => return "avxvnni",
            Some(Processor::Avx2(_)) => return "avx2",
            None => (),
        }
        "portable"
    }
}
