//! The `diesis` binary.

fn main() {}
