//! The memory that this process took at most.

/// Bytes of memory in use at the highest point so far; `None` where the system does not tell.
pub(super) fn peak() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// `VmHWM:     1234 kB` of Linux.
fn parse(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kilobytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_read() {
        assert_eq!(
            parse("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS: 1 kB\n"),
            Some(2 << 20)
        );
        assert_eq!(parse("VmHWM: many\n"), None);
        assert_eq!(parse(""), None);
    }
}
