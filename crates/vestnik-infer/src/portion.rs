//! How many texts of a stream are read at once.

use vestnik_model::Device;

/// Texts that are worth reading at once: enough to keep all of a device busy, few enough to stay small in memory. Made by
/// [`Vestnik::portion`](crate::Vestnik::portion).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Portion {
    /// Texts, at most.
    pub texts: usize,
    /// Bytes after which no text is added.
    pub bytes: usize,
}

impl Portion {
    /// For a CPU.
    pub const CPU: Self = Self {
        texts: 128,
        bytes: 512 << 10,
    };
    /// For a GPU.
    pub const GPU: Self = Self {
        texts: 2048,
        bytes: 4 << 20,
    };

    pub(crate) fn of(device: &Device) -> Self {
        match device.is_cpu() {
            true => Self::CPU,
            false => Self::GPU,
        }
    }

    /// Whether so many texts of so many bytes are enough.
    #[must_use]
    pub fn is_full(&self, texts: usize, bytes: usize) -> bool {
        texts >= self.texts || bytes >= self.bytes
    }
}
