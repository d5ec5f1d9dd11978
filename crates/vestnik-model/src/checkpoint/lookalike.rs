//! Files that bear the name of a weights file and are something else.

/// As many bytes of a file's beginning tell what it is.
pub(crate) const HEAD_BYTES: usize = 512;

/// What a file is that begins with these bytes, with what to do, if it is a known mistake.
pub(crate) fn lookalike(head: &[u8]) -> Option<&'static str> {
    if head.is_empty() {
        return Some("the file is empty; fetch it again");
    }
    if head.starts_with(b"version https://git-lfs") {
        return Some(
            "a git-lfs pointer, not the file itself; run `git lfs pull` where it came from",
        );
    }
    if is_markup(head) {
        return Some("a web page, not weights; fetch the file itself");
    }
    known_format(head)
}

fn known_format(head: &[u8]) -> Option<&'static str> {
    let magics: [(&[u8], &str); 6] = [
        (
            b"GGUF",
            "a GGUF file, expected safetensors; get the model in the Hugging Face layout",
        ),
        (b"\x1f\x8b", "a gzip file; unpack it"),
        (
            b"\x89HDF",
            "an HDF5 file with weights for TensorFlow, expected safetensors",
        ),
        (b"\x28\xb5\x2f\xfd", "a zstd file; unpack it"),
        (
            b"Entry not found",
            "a message of a server, not weights; fetch the file itself",
        ),
        (
            b"Invalid username",
            "a message of a server, not weights; fetch the file itself",
        ),
    ];
    let known = magics.iter().find(|(magic, _)| head.starts_with(magic));
    known.map(|(_, what)| *what).or_else(|| {
        let tar = head.get(257..262) == Some(b"ustar");
        tar.then_some("a tar archive; unpack it")
    })
}

fn is_markup(head: &[u8]) -> bool {
    let text = head.trim_ascii_start();
    let begins = |tag: &[u8]| {
        text.get(..tag.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(tag))
    };
    [&b"<!doctype"[..], b"<html", b"<head", b"<?xml"]
        .into_iter()
        .any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_apart_and_weights_are_none() {
        for (head, word) in [
            (&b""[..], "empty"),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:",
                "git lfs pull",
            ),
            (b"\n <!DOCTYPE html><html>", "web page"),
            (b"GGUF\x03\0\0\0", "GGUF"),
            (b"Entry not found", "server"),
        ] {
            let told = lookalike(head).unwrap_or_default();
            assert!(told.contains(word), "{word}: {told}");
        }
        assert_eq!(lookalike(b"\x40\0\0\0\0\0\0\0{\"__metadata__\""), None);
        assert_eq!(lookalike(b"PK\x03\x04"), None);
    }
}
