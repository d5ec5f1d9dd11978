//! Bodies of requests, whatever is in them: the server's parsers must not panic, nor take long.
//!
//! With cargo-fuzz and a nightly toolchain: `cargo fuzz run -s none bodies fuzz/seeds`. With a stable one, from `fuzz/`:
//!
//! ```sh
//! flags="--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1"
//! for option in level=4 inline-8bit-counters pc-table trace-compares; do flags="$flags -Cllvm-args=-sanitizer-coverage-$option"; done
//! RUSTC_BOOTSTRAP=1 RUSTFLAGS=$flags cargo build --release --target x86_64-unknown-linux-gnu
//! mkdir -p corpus/bodies
//! target/x86_64-unknown-linux-gnu/release/bodies corpus/bodies seeds -max_total_time=300 -dict=bodies.dict
//! ```
//!
//! The first byte of an input says the route, and whether the body is compressed. What is found goes into
//! `crates/vestnik-serve/tests/http/hostile.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Some((&choice, body)) = input.split_first() {
        let _ = vestnik_serve::read_body(choice, choice >= 128, body);
    }
});
