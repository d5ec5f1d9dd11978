//! Which device is used, told on standard error: never a silent choice.

use vestnik_infer::DeviceChoice;
use vestnik_model::Device;

use crate::output::note;

/// Says which device was opened for a choice.
pub(crate) fn tell(choice: DeviceChoice, device: &Device) {
    let reason = match (choice, device.is_cpu()) {
        (DeviceChoice::Auto, true) if cfg!(feature = "cuda") => " (no CUDA device found)",
        (DeviceChoice::Auto, true) => " (built without CUDA)",
        _ => "",
    };
    note(&format!("device: {}{reason}", name(device)));
}

/// `cpu` or `cuda`.
fn name(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}
