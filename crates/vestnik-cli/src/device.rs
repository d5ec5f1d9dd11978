//! Which device is used, told on standard error: never a silent choice.

use vestnik_infer::{DeviceChoice, Error, device_name};
use vestnik_model::Device;

use crate::output::note;

/// Says which device was opened for a choice, and why no other.
pub(crate) fn tell(choice: DeviceChoice, device: &Device) {
    let reason = match (choice, device.is_cpu()) {
        (DeviceChoice::Auto, true) if cfg!(feature = "cuda") => {
            format!(" ({})", why_not_cuda())
        }
        (DeviceChoice::Auto, true) => " (built without CUDA)".to_owned(),
        _ => String::new(),
    };
    note(&format!("device: {}{reason}", device_name(device)));
}

/// Why the first GPU does not open.
fn why_not_cuda() -> String {
    match DeviceChoice::Cuda(0).open() {
        Ok(_) => "it was not there a moment ago".to_owned(),
        Err(Error::Device { reason, .. }) => reason,
        Err(error) => error.to_string(),
    }
}
