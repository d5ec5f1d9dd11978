//! Serving over HTTP: routes, queue, metrics and the page.
//!
//! Nothing is here yet; the crate holds the place of the server in the workspace. Use the program's `tag` command or the
//! library `vestnik` until then.
