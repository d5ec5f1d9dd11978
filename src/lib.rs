//! Vestnik.
