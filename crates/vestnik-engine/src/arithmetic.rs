//! Which products an engine computes, and the processor's part in it.

#[cfg(target_arch = "x86_64")]
use crate::options::Kernels;
use crate::options::{EngineDtype, EngineOptions};

#[cfg(target_arch = "x86_64")]
use crate::x86::{Amx, Avx512};

/// How products are computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arithmetic {
    pub(crate) dtype: EngineDtype,
    /// Kernels of our own for this processor.
    #[cfg(target_arch = "x86_64")]
    pub(crate) avx512: Option<Avx512>,
}

impl Arithmetic {
    pub(crate) fn new(options: &EngineOptions) -> Self {
        Self {
            dtype: options.dtype,
            #[cfg(target_arch = "x86_64")]
            avx512: match kernels(options) {
                Kernels::Fastest => Avx512::detect(),
                Kernels::Avx512 => Avx512::detect().map(Avx512::without_tiles),
                Kernels::Portable => None,
            },
        }
    }

    /// Tiles, if products are computed by them.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn tiles(&self) -> Option<Amx> {
        self.avx512?.tiles()
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
        if let Some(avx512) = self.avx512 {
            return if avx512.tiles().is_some() {
                "amx"
            } else {
                "avx512"
            };
        }
        "portable"
    }
}

/// Those of the environment, if it says any.
#[cfg(target_arch = "x86_64")]
fn kernels(options: &EngineOptions) -> Kernels {
    match std::env::var("VESTNIK_KERNELS").as_deref() {
        Ok("portable") => Kernels::Portable,
        Ok("avx512") if options.kernels == Kernels::Fastest => Kernels::Avx512,
        _ => options.kernels,
    }
}
