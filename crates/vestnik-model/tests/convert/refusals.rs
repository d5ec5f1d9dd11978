//! What is refused: code, other formats, damage.

use vestnik_model::{DType, Error, PickleProblem};

use crate::support::{Folder, fixture, torch};

#[test]
fn code_is_named_and_not_run() {
    let refusal = Folder::with("code.bin").refusal();
    assert_eq!(
        refusal,
        "DIR/pytorch_model.bin: asks to run posix.system, which weights do not need: refused, nothing was run; \
         get the model from a source you trust, as safetensors"
    );
    assert!(
        Folder::with("module.bin")
            .refusal()
            .contains("asks to run torch.nn.modules.linear.Linear,")
    );
}

#[test]
fn other_ways_of_saving() {
    for (file, told) in [
        ("legacy.bin", "a bare pickle, as PyTorch wrote before 1.6"),
        (
            "training.bin",
            "the entry \"epoch\" is a number, expected a tensor: perhaps a checkpoint of training",
        ),
        (
            "negative.bin",
            "describes a tensor in a way that is not understood (metadata)",
        ),
        ("protocol.bin", "of protocol 4, expected 2"),
        ("infinite.bin", "tensor w holds NaN or infinite numbers"),
    ] {
        let refusal = Folder::with(file).refusal();
        assert!(refusal.contains(told), "{file}: {refusal}");
        assert!(
            refusal.starts_with("DIR/pytorch_model.bin: "),
            "{file}: {refusal}"
        );
        assert!(!refusal.contains('\n'), "{file}: {refusal}");
    }
}

#[test]
fn files_that_are_no_weights() {
    for (bytes, told) in [
        (&b""[..], "the file is empty"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "git lfs pull",
        ),
        (b"<!DOCTYPE html>", "a web page"),
        (b"\x80\x04\x95", "a bare pickle"),
        (b"PK\x03\x04", "the zip archive is broken or truncated"),
        (b"hello", "not a PyTorch file"),
    ] {
        let folder = Folder::empty();
        folder.write("pytorch_model.bin", bytes);
        let refusal = folder.refusal();
        assert!(refusal.contains(told), "{refusal}");
    }
}

#[test]
fn damage_anywhere_is_an_error_or_does_not_matter() {
    let bytes = std::fs::read(torch("views.bin")).unwrap();
    for cut in (0..bytes.len()).step_by(499) {
        let folder = Folder::empty();
        folder.write("pytorch_model.bin", &bytes[..cut]);
        folder.refusal();
    }
    for place in (0..bytes.len()).step_by(101) {
        let folder = Folder::empty();
        let mut changed = bytes.clone();
        changed[place] ^= 0x5a;
        folder.write("pytorch_model.bin", changed);
        let _ = folder.convert();
    }
}

#[test]
fn numbers_beyond_the_range() {
    let folder = Folder::with("big.bin");
    let error = folder.convert_to(Some(DType::F16)).unwrap_err();
    assert!(
        matches!(&error, Error::OutOfRange { name, dtype, .. } if name == "w" && dtype == "f16")
    );
    assert!(folder.convert_to(Some(DType::BF16)).is_ok());
}

#[test]
fn an_output_that_exists_is_not_touched() {
    let folder = Folder::with("bert.bin");
    std::fs::create_dir(folder.path("new")).unwrap();
    assert!(matches!(folder.convert(), Err(Error::Exists { .. })));
    assert_eq!(std::fs::read_dir(folder.path("new")).unwrap().count(), 0);
}

#[test]
fn a_file_without_its_configuration() {
    let folder = Folder::with("bert.bin");
    std::fs::remove_file(folder.path("model/config.json")).unwrap();
    assert!(folder.refusal().contains("no config.json here"));
}

#[test]
fn other_number_types_cannot_be_asked_for() {
    let folder = Folder::empty();
    folder.copy(
        &fixture("bert").join("model.safetensors"),
        "model.safetensors",
    );
    assert!(matches!(
        folder.convert_to(Some(DType::U8)),
        Err(Error::Argument { .. })
    ));
}

/// A pickle of one tensor `w` over the storage `0`, with this shape and these strides.
fn archive(len: &[u8], shape: &[u8], stride: &[u8], numbers: &[u8]) -> Vec<u8> {
    archive_of(
        zip::CompressionMethod::Stored,
        len,
        [shape, stride],
        numbers,
    )
}

fn archive_of(
    method: zip::CompressionMethod,
    len: &[u8],
    [shape, stride]: [&[u8]; 2],
    numbers: &[u8],
) -> Vec<u8> {
    let pickle = [
        &b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"[..],
        b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpu",
        len,
        b"tQK\x00",
        shape,
        stride,
        b"\x89}tRs.",
    ]
    .concat();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in [("x/data.pkl", &pickle[..]), ("x/data/0", numbers)] {
        zip.start_file(name, options).unwrap();
        std::io::Write::write_all(&mut zip, bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn tensors_that_ask_for_more_than_the_file_has() {
    let four = [0u8; 16];
    for (len, shape, stride, told) in [
        (
            &b"K\x04"[..],
            &b"K\x05\x85"[..],
            &b"K\x01\x85"[..],
            "does not fit its storage",
        ),
        (
            b"K\x04",
            b"J\xff\xff\xff\x7f\x85",
            b"K\x00\x85",
            "does not fit its storage",
        ),
        (
            b"K\x04",
            b"K\x02K\x02\x86",
            b"K\x03K\x01\x86",
            "does not fit its storage",
        ),
        (
            b"K\x05",
            b"K\x04\x85",
            b"K\x01\x85",
            "its storage has 16 bytes, expected 20",
        ),
        (
            b"K\x03",
            b"K\x03\x85",
            b"K\x01\x85",
            "has 16 bytes, expected at most 12",
        ),
        (
            b"K\x04",
            b"J\xff\xff\xff\xff\x85",
            b"K\x01\x85",
            "not understood (sizes)",
        ),
        (
            b"J\xff\xff\xff\xff",
            b"K\x04\x85",
            b"K\x01\x85",
            "not understood (storage)",
        ),
        (
            b"K\x04",
            b"K\x04\x85",
            b"K\x01K\x01\x86",
            "not understood (strides)",
        ),
    ] {
        let folder = Folder::empty();
        folder.write("pytorch_model.bin", archive(len, shape, stride, &four));
        let refusal = folder.refusal();
        assert!(refusal.contains(told), "{told}: {refusal}");
    }
    let folder = Folder::empty();
    folder.write(
        "pytorch_model.bin",
        archive(b"K\x04", b"K\x04\x85", b"K\x01\x85", &four),
    );
    assert_eq!(folder.convert().unwrap().n_tensors, 1);
}

#[test]
fn an_archive_that_grows_beyond_measure() {
    let n = 5_000_000_i32;
    let bytes = n.to_le_bytes();
    let len = [b"J", &bytes[..]].concat();
    let shape = [&len[..], b"\x85"].concat();
    let numbers = vec![0; 4 * n as usize];
    let method = zip::CompressionMethod::Deflated;
    let folder = Folder::empty();
    folder.write(
        "pytorch_model.bin",
        archive_of(method, &len, [&shape, b"K\x01\x85"], &numbers),
    );
    let refusal = folder.refusal();
    assert!(
        refusal.contains("refused, no weights are that regular"),
        "{refusal}"
    );
}

#[test]
fn problems_have_facts() {
    let error = Folder::with("code.bin").convert().unwrap_err();
    let Error::Pickle {
        source: PickleProblem::Forbidden { module, name },
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((module.as_str(), name.as_str()), ("posix", "system"));
}
