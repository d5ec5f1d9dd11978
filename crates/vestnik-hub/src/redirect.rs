//! Where a redirect leads.

/// Scheme, host and port of an address: everything before its path.
pub(crate) fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url[host..].find(['/', '?', '#']);
    path.map_or(url, |at| &url[..host + at])
}

/// The address that `location` means in an answer from `url` (RFC 3986, section 5.2, without dot segments).
pub(crate) fn resolve(url: &str, location: &str) -> String {
    let absolute = ["http://", "https://"]
        .iter()
        .any(|scheme| location.starts_with(scheme));
    if absolute {
        return location.to_owned();
    }
    if location.starts_with("//") {
        let scheme = url.split("//").next().unwrap_or_default();
        return format!("{scheme}{location}");
    }
    if location.starts_with('/') {
        return format!("{}{location}", origin(url));
    }
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let folder = path.rfind('/').map_or(path, |at| &path[..at]);
    format!("{folder}/{location}")
}

/// Whether the host of an address is this machine.
pub(crate) fn is_loopback(url: &str) -> bool {
    let origin = origin(url);
    let host = origin.split("://").nth(1).unwrap_or(origin);
    host == "localhost"
        || host.starts_with("localhost:")
        || host.starts_with("127.")
        || host.starts_with("[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_resolved() {
        let url = "https://hub:8080/org/name/resolve/main/a.json?x=/1";
        assert_eq!(origin(url), "https://hub:8080");
        assert_eq!(origin("http://hub"), "http://hub");
        for (location, target) in [
            ("https://cdn/x?y", "https://cdn/x?y"),
            ("//cdn/x", "https://cdn/x"),
            ("/other/x", "https://hub:8080/other/x"),
            ("b.json", "https://hub:8080/org/name/resolve/main/b.json"),
        ] {
            assert_eq!(resolve(url, location), target);
        }
    }

    #[test]
    fn this_machine_is_known() {
        assert!(is_loopback("http://127.0.0.1:80/x"));
        assert!(is_loopback("http://localhost"));
        assert!(!is_loopback("https://localhost.example/"));
    }
}
