//! Which products an engine computes, and the processor's part in it.

use crate::options::{EngineDtype, EngineOptions, Kernels};

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use crate::amx::Amx;

/// How products are computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arithmetic {
    pub(crate) dtype: EngineDtype,
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    pub(crate) amx: Option<Amx>,
}

impl Arithmetic {
    pub(crate) fn new(options: &EngineOptions) -> Self {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        let amx = if is_portable(options.kernels) {
            None
        } else {
            Amx::detect()
        };
        #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
        let _ = is_portable(options.kernels);
        Self {
            dtype: options.dtype,
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            amx,
        }
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
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        if self.amx.is_some() {
            return "amx";
        }
        "portable"
    }
}

fn is_portable(kernels: Kernels) -> bool {
    kernels == Kernels::Portable
        || std::env::var_os("VESTNIK_KERNELS").is_some_and(|kernels| kernels == "portable")
}
