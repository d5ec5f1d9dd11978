//! The program vestnik.
