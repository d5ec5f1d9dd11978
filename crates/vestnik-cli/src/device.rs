//! Which device is used, told on standard error: never a silent choice.

use std::error::Error;

use vestnik_infer::{DeviceChoice, device_name};
use vestnik_model::Device;

use crate::output::note;

/// Says which device was opened for a choice, and why no other.
pub(crate) fn tell(choice: DeviceChoice, device: &Device) {
    let reason = match (choice, device.is_cpu()) {
        (DeviceChoice::Auto, true) if cfg!(feature = "cuda") => {
            format!(" (no CUDA device: {})", why_not_cuda())
        }
        (DeviceChoice::Auto, true) => " (built without CUDA)".to_owned(),
        _ => String::new(),
    };
    note(&format!("device: {}{reason}", device_name(device)));
}

/// The first line of what the first GPU's driver says.
fn why_not_cuda() -> String {
    let Err(error) = DeviceChoice::Cuda(0).open() else {
        return "it was not there a moment ago".to_owned();
    };
    let source = error.source().map(ToString::to_string);
    let message = source.unwrap_or_else(|| error.to_string());
    message.lines().next().unwrap_or_default().to_owned()
}
