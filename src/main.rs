//! The program `vestnik`.

use std::process::ExitCode;

/// Tagging allocates many short strings from many threads; the system's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    vestnik_cli::main()
}
