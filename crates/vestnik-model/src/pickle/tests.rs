//! Pickles written by hand: what a state dict looks like, and attacks.

use proptest::prelude::*;

use super::*;

/// A state dict with the tensor `w`, `[2, 3]` transposed, as torch.save (2.x) writes it.
fn pickle_of_one_tensor() -> Vec<u8> {
    let mut pickle = b"\x80\x02}q\x00X\x01\x00\x00\x00wq\x01".to_vec();
    pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\nq\x02(");
    pickle.extend(b"(X\x07\x00\x00\x00storageq\x03ctorch\nFloatStorage\nq\x04");
    pickle.extend(b"X\x01\x00\x00\x000q\x05X\x03\x00\x00\x00cpuq\x06K\x06tq\x07Q");
    pickle.extend(b"K\x00K\x02K\x03\x86q\x08K\x01K\x02\x86q\x09\x89");
    pickle.extend(b"ccollections\nOrderedDict\nq\x0a)Rq\x0btq\x0cRq\x0ds.");
    pickle
}

#[test]
fn a_tensor_is_read() {
    let tensors = read_state_dict(&pickle_of_one_tensor()).unwrap();
    let storage = Storage {
        key: "0".to_owned(),
        numbers: Some(StoredNumbers::F32),
        len: 6,
    };
    let tensor = StoredTensor {
        storage,
        numbers: StoredNumbers::F32,
        offset: 0,
        shape: vec![2, 3],
        stride: vec![1, 2],
    };
    assert_eq!(tensors, [("w".to_owned(), tensor)]);
}

#[test]
fn functions_are_refused_by_their_names_and_not_run() {
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_tensor_v9"),
        ("torch.nn.modules.linear", "Linear"),
    ] {
        let pickle = format!("\u{2}c{module}\n{name}\nX\u{4}\0\0\0true\u{5}R.");
        let mut pickle: Vec<u8> = pickle.into();
        pickle.insert(0, 0x80);
        let at = pickle.len() - 3;
        pickle[at] = 0x85;
        let problem = read_state_dict(&pickle).unwrap_err();
        assert!(
            problem
                .to_string()
                .starts_with(&format!("asks to run {module}.{name},")),
            "{problem}"
        );
    }
}

#[test]
fn deep_nesting_costs_no_stack() {
    let mut pickle = b"\x80\x02)".to_vec();
    pickle.extend([0x85].repeat(900_000));
    pickle.push(b'.');
    assert_eq!(read_state_dict(&pickle), Err(PickleProblem::NoStateDict));
    pickle.splice(3..3, [0x85].repeat(200_000));
    assert!(matches!(
        read_state_dict(&pickle),
        Err(PickleProblem::TooManyObjects { .. })
    ));
}

#[test]
fn doubling_through_the_memo_costs_no_time() {
    // Each tuple holds the one before it twice: 2^200 leaves, were they followed.
    let mut pickle = b"\x80\x02)q\x00".to_vec();
    for _ in 0..200 {
        pickle.extend(b"h\x00h\x00\x86q\x00");
    }
    pickle.push(b'.');
    assert_eq!(read_state_dict(&pickle), Err(PickleProblem::NoStateDict));
}

#[test]
fn containers_may_hold_themselves() {
    let pickle = b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.";
    assert!(matches!(
        read_state_dict(pickle),
        Err(PickleProblem::NoTensor {
            found: "a dictionary",
            ..
        })
    ));
}

#[test]
fn other_protocols_and_instructions_are_refused() {
    for (pickle, expected) in [
        (&b"\x80\x04."[..], PickleProblem::Protocol { version: 4 }),
        (
            b"\x80\x02\x93.",
            PickleProblem::Opcode {
                opcode: 0x93,
                position: 2,
            },
        ),
        (
            b"\x80\x02i",
            PickleProblem::Opcode {
                opcode: b'i',
                position: 2,
            },
        ),
        (
            b"\x80\x02\x81",
            PickleProblem::Opcode {
                opcode: 0x81,
                position: 2,
            },
        ),
        (b"", PickleProblem::Truncated),
        (b"\x80\x02X\xff\xff\xff\xff", PickleProblem::Truncated),
        (b"\x80\x02.", PickleProblem::Malformed),
        (b"\x80\x02(\x85.", PickleProblem::Malformed),
        (
            b"\x80\x02N(0",
            PickleProblem::Opcode {
                opcode: b'0',
                position: 4,
            },
        ),
        (b"\x80\x02j\xff\xff\xff\xff.", PickleProblem::Malformed),
    ] {
        assert_eq!(read_state_dict(pickle), Err(expected), "{pickle:?}");
    }
}

#[test]
fn long_integers() {
    let mut bytes = Bytes::new(b"\x00\x01\xff\x02\x00\x80\x05\x00\x00\x00\x00\x01\x09");
    assert_eq!(bytes.long(), Ok(0));
    assert_eq!(bytes.long(), Ok(-1));
    assert_eq!(bytes.long(), Ok(-32768));
    assert_eq!(bytes.long(), Ok(1 << 32));
    assert_eq!(bytes.long(), Err(PickleProblem::Truncated));
}

proptest! {
    #[test]
    fn any_bytes_give_a_result(tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut pickle = b"\x80\x02".to_vec();
        pickle.extend(tail);
        let _ = read_state_dict(&pickle);
    }

    #[test]
    fn a_changed_byte_gives_a_result(place in 0usize..200, byte in any::<u8>()) {
        let mut pickle = pickle_of_one_tensor();
        let place = place % pickle.len();
        pickle[place] = byte;
        let _ = read_state_dict(&pickle);
    }
}
