//! Tells the linker how to store the addresses that the loader fills in.

#![allow(clippy::print_stdout)] // That is how a build script speaks to cargo.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |key: &str, value: &str| env::var_os(key).is_some_and(|found| found == value);
    // A tenth of the table that is read at each start otherwise. The loader understands it from glibc 2.36 on; a linker
    // that does not know the option ignores it.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
